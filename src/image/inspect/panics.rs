//! Turns a panic of a reader into a refusal of the image. The panic is reported as a property of the image, not as a fault of the station.

use std::panic;
use std::sync::Once;
use std::thread;

/// The thread in which a panic is a result.
pub(super) const THREAD: &str = "inspect";

/// Hides the panics of that thread, and of no other, from the output for people; the log contains them for developers.
pub(super) fn hide_those_of_readers() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().name() == Some(THREAD) {
                tracing::debug!("a reader of images gave up: {panic}");
            } else {
                others(panic);
            }
        }));
    });
}
