//! A PC that boots again, with all that is plugged into it. Its root must be on a disk.

use serde_json::json;

use crate::error::{Error, OrPanic, Result};
use crate::pc::Pc;
use crate::state;

impl Pc {
    /// The PC is shut down in order and boots again, with all that is plugged into it. Returns when the agent answers.
    ///
    /// # Panics
    /// If it does not come up, or if its root is not [kept](crate::pc::PcBuilder::kept).
    #[track_caller]
    pub fn reboot(&self) {
        self.try_boot_again(|| self.inner.agent.spawn("systemctl reboot").map(drop)).or_panic();
    }

    /// The same by the reset button: nothing is shut down.
    ///
    /// # Panics
    /// If it does not come up, or if its root is not [kept](crate::pc::PcBuilder::kept).
    #[track_caller]
    pub fn reset(&self) {
        self.try_boot_again(|| self.inner.qmp.execute("system_reset", json!({})).map(drop)).or_panic();
    }

    fn try_boot_again(&self, begin: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.kept.is_none() {
            return Err(Error::Impossible("this PC keeps its root in memory: nothing would be left after a reboot".to_owned()));
        }
        // Instead of -no-reboot, which also ends a PC after a panic.
        self.inner.qmp.execute("set-action", json!({ "reboot": "reset" }))?;
        self.inner.agent.expect_hello();
        self.inner.forget_disks();
        begin()?;
        self.inner.agent.wait_hello(state::BOOT)?;
        self.inner.qmp.execute("set-action", json!({ "reboot": "shutdown" })).map(drop)
    }
}
