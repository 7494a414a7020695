use std::sync::Mutex;
use std::time::Instant;

use super::*;
use crate::panel::told::PATIENCE;
use crate::panel::told::testing::wait_for;
use crate::station::sign::Sign;
use crate::station::view::SlotView;

/// A speaker in memory, which may hang or be unplugged.
#[derive(Clone, Debug, Default)]
struct RamSpeaker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sounds: Vec<(PathBuf, u16)>,
    hangs: bool,
    is_gone: bool,
}

impl RamSpeaker {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics in here")
    }

    /// The tones so far; each must have ended.
    fn tones(&self) -> Vec<u16> {
        let sounds: Vec<u16> = self.state().sounds.iter().map(|(_, hertz)| *hertz).collect();
        assert!(
            sounds.chunks(2).all(|pair| pair[0] > 0 && pair.get(1).is_none_or(|end| *end == 0)),
            "a tone ends before the next: {sounds:?}"
        );
        sounds.into_iter().step_by(2).collect()
    }

    fn is_silent(&self) -> bool {
        self.state().sounds.last().is_none_or(|(_, hertz)| *hertz == 0)
    }
}

impl Speaker for RamSpeaker {
    fn sound(&self, device: &Path, hertz: u16) -> io::Result<()> {
        while self.state().hangs {
            thread::sleep(Duration::from_millis(5));
        }
        let mut state = self.state();
        if state.is_gone {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.sounds.push((device.to_owned(), hertz));
        Ok(())
    }
}

type Shown = Arc<Mutex<Option<View>>>;

fn view(sign: Sign) -> Option<View> {
    Some(View { slots: vec![SlotView::of(sign)], ..View::default() })
}

fn bell(speaker: &RamSpeaker, shown: &Shown, device: Option<&str>) -> StationBell {
    let shown = Arc::clone(shown);
    let bell = StationBell::spawn(speaker.clone(), move || shown.lock().expect("no test panics here").clone()).expect("a thread");
    bell.set_device(device.map(PathBuf::from));
    bell
}

fn show(shown: &Shown, view: Option<View>) {
    *shown.lock().expect("no test panics here") = view;
}

/// Longer than the interval at which the view is read.
fn a_while() {
    thread::sleep(4 * LOOK);
}

#[test]
fn it_rings_once_when_somebody_is_wanted_and_three_times_for_a_fault_and_not_for_what_goes_on() {
    let (speaker, shown) = (RamSpeaker::default(), Shown::new(Mutex::new(view(Sign::Writing))));
    let running = bell(&speaker, &shown, Some("spkr"));
    a_while();
    assert_eq!(speaker.tones(), [0_u16; 0], "nobody is wanted");
    show(&shown, view(Sign::Passed));
    wait_for("one tone", || speaker.tones() == [1000] && speaker.is_silent());
    show(&shown, view(Sign::Refused(crate::station::outcome::Refusal::Busy)));
    a_while();
    assert_eq!(speaker.tones(), [1000], "somebody was wanted before");
    show(&shown, view(Sign::Writing));
    a_while();
    show(&shown, view(Sign::Done));
    wait_for("one more", || speaker.tones() == [1000; 2]);
    // The station no longer decides.
    show(&shown, None);
    wait_for("a fault", || speaker.tones() == [1000, 1000, 400, 400, 400] && speaker.is_silent());
    drop(running);
    assert_eq!(speaker.tones().len(), 5, "an end that was asked for is not rung for here");
}

#[test]
fn what_is_wanted_when_the_bell_comes_is_rung_for_and_without_a_bell_nothing_is() {
    let (speaker, shown) = (RamSpeaker::default(), Shown::new(Mutex::new(view(Sign::Passed))));
    let running = bell(&speaker, &shown, None);
    a_while();
    assert_eq!(speaker.tones(), [0_u16; 0]);
    running.set_device(Some(PathBuf::from("spkr")));
    wait_for("it is heard", || speaker.tones() == [1000] && speaker.is_silent());
    running.set_device(None);
    show(&shown, None);
    a_while();
    assert_eq!(speaker.tones(), [1000]);
}

#[test]
fn nobody_waits_for_a_bell_that_hangs_and_one_that_is_plugged_in_again_rings() {
    let (speaker, shown) = (RamSpeaker::default(), Shown::new(Mutex::new(view(Sign::Writing))));
    let running = bell(&speaker, &shown, Some("spkr"));
    speaker.state().is_gone = true;
    show(&shown, view(Sign::Passed));
    a_while();
    speaker.state().is_gone = false;
    show(&shown, None);
    wait_for("a fault", || speaker.tones() == [400; 3] && speaker.is_silent());
    speaker.state().hangs = true;
    show(&shown, view(Sign::Passed));
    a_while();
    let begun = Instant::now();
    drop(running);
    assert!(begun.elapsed() < 3 * PATIENCE, "a stop waits a moment and no more");
    speaker.state().hangs = false;
}
