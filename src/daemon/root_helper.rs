//! The ways to the units beside the station that run as root, because the station does not.
//!
//! Each is started by systemd when the station connects to its socket, which nobody else may. It takes nothing from the station but the wish:
//! whatever the station has become, it gets the rules of the configuration, and the PC kept awake, and nothing more. Where there is no such
//! socket the station was started by hand, and has the rights of who did.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Keeps the PC awake for as long as a connection is open (`flashline-awake.socket`).
pub(super) const AWAKE: &str = "/run/flashline-awake.socket";
/// Writes the udev rules of the configuration, applies them, says how that went, and hangs up (`flashline-rules.socket`).
pub(super) const RULES: &str = "/run/flashline-rules.socket";

/// udev may take ten seconds to read the rules and ten to look again (`flashline slots rules`), and a busy PC some more.
const RULES_TAKE: Duration = Duration::from_secs(30);
/// What is said in one line, or a few.
const LONGEST: u64 = 4096;

/// A connection to this unit; nothing where it is not installed.
pub(super) fn connect(socket: &Path) -> Option<io::Result<UnixStream>> {
    match UnixStream::connect(socket) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        connected => Some(connected),
    }
}

/// Has the rules written, and answers what the unit said; nothing where it is not installed. Waits for it.
pub(super) fn renew_rules(socket: &Path) -> Option<io::Result<String>> {
    let heard = connect(socket)?.and_then(|stream| {
        stream.set_read_timeout(Some(RULES_TAKE))?;
        let mut said = String::new();
        stream.take(LONGEST).read_to_string(&mut said)?;
        Ok(said.trim().to_owned())
    });
    Some(heard)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    #[test]
    fn what_the_unit_says_is_heard_to_its_end_and_one_that_is_not_installed_is_not_waited_for() {
        let root = tempfile::tempdir().expect("a directory");
        let socket = root.path().join("rules.socket");
        assert!(renew_rules(&socket).is_none());
        let unit = UnixListener::bind(&socket).expect("bound");
        let says = thread::spawn(move || {
            let (mut stream, _) = unit.accept().expect("somebody asks");
            stream.write_all(b"61-flashline.rules: written").and_then(|()| stream.write_all(b"; looked at again: 2\n")).expect("heard");
        });
        let said = renew_rules(&socket).expect("it is installed").expect("it answers");
        assert_eq!(said, "61-flashline.rules: written; looked at again: 2");
        says.join().expect("it only speaks");
        assert!(renew_rules(&socket).expect("its socket is there").is_err(), "nobody listens any more");
    }
}
