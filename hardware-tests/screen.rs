//! Reads the first screen of the emulated PC as text, as an operator sees it.

use flashline_lab::Pc;

/// The text on the first screen: the kernel gives its characters in UTF-32 (vcs(4)).
pub(crate) fn screen_text(pc: &Pc) -> String {
    let columns: usize = pc.sh("stty -F /dev/tty1 size | cut -d' ' -f2").parse().expect("a number of columns");
    pc.sh("cat /dev/vcsu1 > /tmp/screen");
    let cells = pc.get("/tmp/screen");
    let letters: Vec<char> = cells.as_chunks().0.iter().filter_map(|cell| char::from_u32(u32::from_ne_bytes(*cell))).collect();
    let lines: Vec<String> = letters.chunks(columns).map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect();
    lines.join("\n").trim_end().to_owned() + "\n"
}
