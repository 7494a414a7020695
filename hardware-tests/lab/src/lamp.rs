//! A lamp that the station can switch and a scenario can see: six LEDs of /sys/class/leds, in two lights.
//!
//! Owns the virtual device, which is a program in the guest (`bin/flashline-lamp.rs`) behind the kernel's own driver:
//! a scenario sees the light as the real device would show it, blinking included.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::agent::Job;
use crate::error::{Error, OrPanic, Result};
use crate::qemu::Inner;

/// How long the guest may take to see the lamp.
const SEEN: Duration = Duration::from_secs(60);

/// A change of a light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Light {
    /// Milliseconds since the lamp was plugged in, by the guest's clock.
    pub at: u64,
    /// Which light, counted from 0.
    pub light: u8,
    /// Red, green and blue, from 0 to 255.
    pub colour: (u8, u8, u8),
}

/// A lamp. It stays plugged in when this is dropped.
#[derive(Debug)]
pub struct Lamp {
    job: Job,
    name: String,
}

impl Lamp {
    pub(crate) fn plug(pc: &Arc<Inner>) -> Result<Self> {
        let unique = pc.name("lamp");
        pc.run("modprobe -a uhid hid_led ledtrig_timer ledtrig_pattern ledtrig_heartbeat ledtrig_oneshot", SEEN)?;
        let job = pc.agent.spawn(&format!("exec flashline-lamp {unique}"))?;
        // The driver numbers its lamps; this one is the lamp whose device carries our name.
        let test = format!(
            "(dir=$(dirname $(grep -ls '^HID_UNIQ={unique}$' /sys/devices/virtual/misc/uhid/*/uevent)) && \
             led=$(ls $dir/leds 2>/dev/null | grep blue:led1) && echo ${{led%%:*}}) 2>/dev/null"
        );
        let name = pc.wait_in_guest("a lamp's LEDs", &test, SEEN)?;
        Ok(Self { job, name })
    }

    /// The folder of one of its LEDs: a colour ("red", "green", "blue") of a light (0 or 1).
    #[must_use]
    pub fn led(&self, colour: &str, light: u8) -> String {
        format!("/sys/class/leds/{}:{colour}:led{light}", self.name)
    }

    /// Every change so far, in order.
    #[must_use]
    pub fn history(&self) -> Vec<Light> {
        self.job.printed().lines().filter_map(parse).collect()
    }

    /// The colour that a light shows now; it is dark until it is switched.
    #[must_use]
    pub fn shows(&self, light: u8) -> (u8, u8, u8) {
        self.history().iter().rev().find(|change| change.light == light).map_or((0, 0, 0), |change| change.colour)
    }

    /// Waits until a light shows a colour.
    ///
    /// # Panics
    /// If it does not in time.
    #[track_caller]
    pub fn wait_shows(&self, light: u8, colour: (u8, u8, u8), timeout: Duration) {
        let end = std::time::Instant::now() + crate::sync::patient(timeout);
        while self.shows(light) != colour {
            if std::time::Instant::now() > end {
                let what = format!("light {light} showing {colour:?}");
                Err::<(), _>(Error::Late { what, after: timeout, seen: format!("{:?}", self.history()) }).or_panic();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Unplugs the lamp.
    ///
    /// # Panics
    /// If the guest does not answer.
    #[track_caller]
    pub fn pull(self) {
        self.job.kill(Signal::SIGKILL);
        self.job.try_wait(SEEN).or_panic();
    }
}

/// The device counts its lights from 1, and 0 means all of them; the kernel's driver never sends 0.
fn parse(line: &str) -> Option<Light> {
    let mut words = line.split(' ');
    let at = words.next()?.parse().ok()?;
    let [light, red, green, blue] = [words.next()?, words.next()?, words.next()?, words.next()?].map(|word| word.parse::<u8>().ok());
    Some(Light { at, light: light?.checked_sub(1)?, colour: (red?, green?, blue?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_light_is_read_as_it_is_printed() {
        assert_eq!(parse("1200 2 0 255 7"), Some(Light { at: 1200, light: 1, colour: (0, 255, 7) }));
        assert_eq!(parse("1200 0 0 255 7"), None);
        assert_eq!(parse("a message"), None);
    }
}
