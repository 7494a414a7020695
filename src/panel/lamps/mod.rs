//! Lamps: the LEDs at the slots and of the whole station. They show the same as the console, to people who cannot see it.
//!
//! [`light`] decides what a lamp shows, as a pure table; [`led`] makes the kernel show it; [`writer`] is one lamp. This module has the
//! threads: one that reads the view, and one for each lamp, so that a light whose USB cable hangs does not delay the others. The deciding
//! task never waits for any of them.

pub(crate) mod led;
pub(crate) mod light;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod ram;
pub(crate) mod writer;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::told::{Told, wait_for};
use crate::station::lamp::{LampOwner, OwnedLamp};
use crate::station::sign::OperatorAction;
use crate::station::view::View;
use led::LedClass;
use light::Light;
use writer::{LampWriter, News};

/// Interval at which the view is read: the eye notices no delay.
const LOOK: Duration = Duration::from_millis(100);
/// Interval at which each LED is checked: within a second, a light that was plugged in again shows the right sign.
const CHECK: Duration = Duration::from_secs(1);

/// The lamps of a station. When it is dropped, for any reason, they all show that the station does not run.
#[derive(Debug)]
pub(crate) struct Lamps {
    wanted: Arc<Told<Wanted>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Debug, Default)]
struct Wanted {
    lamps: Vec<OwnedLamp>,
    /// Increases with each change of the lamps.
    edition: u64,
    end: bool,
}

impl Lamps {
    /// Makes the lamps, once they are set, show the state in `view`; `None` means that the deciding task has stopped, which is a fault.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn spawn<C>(class: C, view: impl Fn() -> Option<View> + Send + 'static) -> io::Result<Self>
    where
        C: LedClass + Clone + Send + 'static,
    {
        let wanted = Arc::new(Told::<Wanted>::default());
        let told = Arc::clone(&wanted);
        let thread = thread::Builder::new().name("lamps".to_owned()).spawn(move || follow(&class, view, &told))?;
        Ok(Self { wanted, thread: Some(thread) })
    }

    /// Sets the lamps from now on. Lamps that are removed go dark.
    pub(crate) fn set_lamps(&self, lamps: Vec<OwnedLamp>) {
        self.wanted.tell(|wanted| {
            wanted.lamps = lamps;
            wanted.edition += 1;
        });
    }
}

impl Drop for Lamps {
    fn drop(&mut self) {
        self.wanted.tell(|wanted| wanted.end = true);
        if let Some(thread) = self.thread.take() {
            wait_for([&thread]);
        }
    }
}

fn follow<C>(class: &C, view: impl Fn() -> Option<View>, told: &Told<Wanted>)
where
    C: LedClass + Clone + Send + 'static,
{
    let fault = Light::of(OperatorAction::StationFault, false);
    let mut lamps: Vec<Running> = Vec::new();
    let mut edition = 0;
    loop {
        let wanted = told.wait(LOOK, |wanted| wanted.end || wanted.edition != edition);
        if wanted.edition != edition && !wanted.end {
            edition = wanted.edition;
            lamps = replace(class, lamps, wanted.lamps);
        }
        if wanted.end {
            lamps.iter().for_each(|lamp| lamp.end_with(fault));
            return wait_for(lamps.iter().map(|lamp| &lamp.thread));
        }
        let view = view();
        for lamp in &lamps {
            lamp.show(view.as_ref().map_or(fault, |view| light_of(view, &lamp.lamp.owner)));
        }
    }
}

fn light_of(view: &View, owner: &LampOwner) -> Light {
    match owner {
        LampOwner::Station => Light::of_station(view.call()),
        // A slot that the station does not know yet, or no longer knows, is soon a known one.
        LampOwner::Slot(slot) => {
            view.slots.iter().find(|other| other.slot == *slot).map_or(Light::Dark, |slot| Light::of(slot.call, slot.identify))
        }
    }
}

/// The lamps from now on: those that stay are not touched.
fn replace<C>(class: &C, before: Vec<Running>, now: Vec<OwnedLamp>) -> Vec<Running>
where
    C: LedClass + Clone + Send + 'static,
{
    let numbered: Vec<(OwnedLamp, bool)> = now.into_iter().enumerate().map(|(place, lamp)| (lamp, !place.is_multiple_of(2))).collect();
    let (mut lamps, gone): (Vec<Running>, Vec<Running>) =
        before.into_iter().partition(|running| numbered.iter().any(|(lamp, odd)| *lamp == running.lamp && *odd == running.odd));
    gone.iter().for_each(|lamp| lamp.end_with(Light::Dark));
    // An LED that now belongs to another slot must not be switched off.
    wait_for(gone.iter().map(|lamp| &lamp.thread));
    for (lamp, odd) in numbered {
        if lamps.iter().any(|running| running.lamp == lamp) {
            continue;
        }
        match Running::start(class.clone(), lamp, odd) {
            Ok(lamp) => lamps.push(lamp),
            Err(error) => tracing::error!(%error, "no thread for a lamp: it shows nothing that is true"),
        }
    }
    lamps
}

/// A lamp and the thread that writes it.
#[derive(Debug)]
struct Running {
    lamp: OwnedLamp,
    odd: bool,
    order: Arc<Told<Order>>,
    thread: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    /// No light was requested yet.
    light: Option<Light>,
    end: bool,
}

impl Running {
    fn start<C: LedClass + Send + 'static>(class: C, lamp: OwnedLamp, odd: bool) -> io::Result<Self> {
        let order = Arc::new(Told::new(Order { light: None, end: false }));
        let (told, owner) = (Arc::clone(&order), lamp.owner.clone());
        let name = match &owner {
            LampOwner::Station => "station-lamp".to_owned(),
            LampOwner::Slot(slot) => format!("lamp/{slot}"),
        };
        let mut writer = LampWriter::new(class, lamp.lamp.clone(), odd);
        let thread = thread::Builder::new().name(name).spawn(move || {
            let mut shown = None;
            loop {
                let order = told.wait(CHECK, |order| order.end || order.light != shown);
                let news = match order.light {
                    None => Vec::new(),
                    light if light == shown => writer.look_after(),
                    Some(light) => writer.show(light),
                };
                shown = order.light;
                news.iter().for_each(|news| log(&owner, news));
                if order.end {
                    return;
                }
            }
        })?;
        Ok(Self { lamp, odd, order, thread })
    }

    fn show(&self, light: Light) {
        if self.order.lock().light != Some(light) {
            self.order.tell(|order| order.light = Some(light));
        }
    }

    fn end_with(&self, light: Light) {
        self.order.tell(|order| *order = Order { light: Some(light), end: true });
    }
}

fn log(owner: &LampOwner, news: &News) {
    let slot = if let LampOwner::Slot(slot) = owner { Some(slot.as_str()) } else { None };
    match news {
        News::Ill { .. } | News::Evenly { .. } | News::Still { .. } => tracing::warn!(slot, "{news}"),
        News::Well { .. } => tracing::info!(slot, "{news}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use super::ram::RamLeds;
    use super::*;
    use crate::panel::told::PATIENCE;
    use crate::panel::told::testing::wait_for;
    use crate::station::lamp::Lamp;
    use crate::station::sign::Sign;
    use crate::station::view::SlotView;

    fn one(slot: &str, led: &str) -> OwnedLamp {
        OwnedLamp::of_slot(slot, Lamp::One(led.to_owned()))
    }

    fn of_station(led: &str) -> OwnedLamp {
        OwnedLamp { owner: LampOwner::Station, lamp: Lamp::One(led.to_owned()) }
    }

    /// A view that tests change; `None` means a station that no longer decides.
    type Shown = Arc<Mutex<Option<View>>>;

    fn shown(signs: &[(&str, Sign)]) -> Shown {
        Arc::new(Mutex::new(Some(view(signs))))
    }

    fn view(signs: &[(&str, Sign)]) -> View {
        let slots = signs.iter().map(|(slot, sign)| SlotView { slot: (*slot).into(), ..SlotView::of(sign.clone()) });
        View { slots: slots.collect(), ..View::default() }
    }

    fn lamps(leds: &RamLeds, shown: &Shown, lamps: &[OwnedLamp]) -> Lamps {
        let shown = Arc::clone(shown);
        let running = Lamps::spawn(leds.clone(), move || shown.lock().expect("no test panics here").clone()).expect("a thread");
        running.set_lamps(lamps.to_vec());
        running
    }

    fn is_green(leds: &RamLeds, led: &str) -> bool {
        leds.trigger(led) == "none" && leds.get(led, "brightness") == "255"
    }

    fn is_fault(leds: &RamLeds, led: &str) -> bool {
        leds.get(led, "pattern").contains("255 600 255 0")
    }

    #[test]
    fn lamps_follow_the_view_and_none_stays_green_when_the_station_ends_or_decides_no_more() {
        let leds = RamLeds::with(&["a", "b"]);
        let view_now = shown(&[("A1", Sign::Passed), ("A2", Sign::Empty)]);
        let running = lamps(&leds, &view_now, &[one("A1", "a"), one("A2", "b")]);
        wait_for("a card that passed is green", || is_green(&leds, "a") && !leds.writes().is_empty());
        *view_now.lock().expect("no test panics here") = None;
        wait_for("nobody decides: nothing is green", || is_fault(&leds, "a") && is_fault(&leds, "b"));
        *view_now.lock().expect("no test panics here") = Some(view(&[("A1", Sign::Writing), ("A2", Sign::Passed)]));
        wait_for("all is well again", || is_green(&leds, "b") && leds.get("a", "pattern") == "255 1000 255 0 0 1000 0 0");
        drop(running);
        assert!(is_fault(&leds, "a") && is_fault(&leds, "b"), "the station ended: all show it at once");
    }

    #[test]
    fn the_lamp_of_the_station_speaks_of_all_slots_and_is_a_fault_when_the_station_decides_no_more_or_ends() {
        let leds = RamLeds::with(&["all", "a"]);
        let view_now = shown(&[("A1", Sign::Writing), ("A2", Sign::Empty)]);
        let running = lamps(&leds, &view_now, &[one("A1", "a"), of_station("all")]);
        wait_for("nobody is wanted", || is_green(&leds, "all"));
        let show = |signs: &[(&str, Sign)]| *view_now.lock().expect("no test panics here") = Some(view(signs));
        show(&[("A1", Sign::Writing), ("A2", Sign::Passed)]);
        wait_for("somebody is wanted", || leds.get("all", "pattern") == "255 200 255 0 0 200 0 0 255 200 255 0 0 1400 0 0");
        show(&[("A1", Sign::OutOfService), ("A2", Sign::Passed)]);
        wait_for("the engineer is wanted", || is_fault(&leds, "all"));
        // A lamp that hangs does not affect another one.
        leds.hang(Some("a"));
        show(&[("A1", Sign::Passed), ("A2", Sign::Empty)]);
        wait_for("somebody is wanted again", || leds.get("all", "pattern").ends_with("1400 0 0"));
        show(&[("A1", Sign::Empty), ("A2", Sign::Empty)]);
        wait_for("and well again", || is_green(&leds, "all"));
        *view_now.lock().expect("no test panics here") = None;
        wait_for("nobody decides", || is_fault(&leds, "all"));
        *view_now.lock().expect("no test panics here") = Some(view(&[("A1", Sign::Empty)]));
        wait_for("it decides again", || is_green(&leds, "all"));
        leds.hang(None);
        drop(running);
        assert!(is_fault(&leds, "all"), "the station ended");
    }

    #[test]
    fn a_lamp_that_hangs_keeps_no_other_from_telling_the_truth_and_nobody_waits_for_it() {
        let leds = RamLeds::with(&["a", "b"]);
        let view_now = shown(&[("A1", Sign::Passed), ("A2", Sign::Passed)]);
        let running = lamps(&leds, &view_now, &[one("A1", "a"), one("A2", "b")]);
        wait_for("both are green", || is_green(&leds, "a") && is_green(&leds, "b"));
        leds.hang(Some("a"));
        *view_now.lock().expect("no test panics here") = Some(view(&[("A1", Sign::Empty), ("A2", Sign::Empty)]));
        wait_for("the other goes dark", || leds.get("b", "brightness") == "0");
        let begun = Instant::now();
        drop(running);
        assert!(begun.elapsed() < 3 * PATIENCE && is_fault(&leds, "b"), "a stop waits a moment and no more");
        leds.hang(None);
        wait_for("it follows when it can", || is_fault(&leds, "a"));
    }

    #[test]
    fn a_lamp_that_is_no_slots_any_more_goes_dark_and_one_that_is_anothers_speaks_of_that() {
        let leds = RamLeds::with(&["a", "b", "c"]);
        let view_now = shown(&[("A1", Sign::Passed), ("A2", Sign::Empty)]);
        let running = lamps(&leds, &view_now, &[one("A1", "a"), one("A2", "b")]);
        wait_for("the first is green", || is_green(&leds, "a"));
        running.set_lamps(vec![one("A1", "b"), one("A2", "c")]);
        wait_for("green moved with its slot", || is_green(&leds, "b") && leds.get("a", "brightness") == "0");
        running.set_lamps(Vec::new());
        wait_for("and nothing is lit", || {
            ["a", "b", "c"].iter().all(|led| leds.trigger(led) == "none" && leds.get(led, "brightness") == "0")
        });
    }
}
