//! The users: what they ask a station for, and how the engineer changes the configuration.

use std::time::Duration;

use crate::floor::{Floor, IMAGES, MODELS, SlotDraft, USERS};
use crate::history::Verb;
use crate::random::Random;
use crate::station::Event;
use crate::station::request::{Command, Target};
use crate::world::{What, World};

impl World {
    /// A user asks for something.
    pub(crate) fn ask(&mut self, verb: Verb, place: usize, random: &mut Random) {
        let user = u32::try_from(random.below(u64::from(USERS))).unwrap_or(0);
        let models = self.file.models.len();
        let model = MODELS[random.index(models)].to_owned();
        let slot = self.file.slots.iter().find(|slot| slot.place == place).map_or_else(|| "A0".to_owned(), |slot| slot.name.clone());
        let target = if random.chance(600) { Target::Slot(slot.clone()) } else { Target::Model(model.clone()) };
        let command = match verb {
            Verb::Disarm => Command::Disarm { target, reason: Some("bent contacts".to_owned()) },
            Verb::Arm => Command::Arm { target },
            Verb::StartOrder => {
                let count = u32::try_from(random.between(1, 5)).unwrap_or(1);
                Command::StartOrder { model, count, name: None, work_order: random.chance(300).then(|| "WO-1".to_owned()) }
            }
            Verb::StopOrder => Command::StopOrder { model },
            Verb::Approve => Command::Approve { model, card: None },
            Verb::BeginMaintenance => Command::BeginMaintenance { why: "cleaning".to_owned() },
            Verb::EndMaintenance => Command::EndMaintenance,
            Verb::Restart => Command::Restart,
            Verb::Confirm => Command::ConfirmLog,
            Verb::Identify => Command::Identify { slot },
            Verb::Reload => return self.change_file(user, place, random),
            _ => return,
        };
        self.request(user, command);
    }

    pub(crate) fn request(&mut self, user: u32, command: Command) {
        let by = Self::user(user);
        let Some(daemon) = &mut self.daemon else { return };
        let request = daemon.next_request;
        daemon.next_request += 1;
        self.books.asked(request);
        self.say(|_| format!("{} asks: {command:?}", by.name));
        self.send(0, Event::Asked { request, by, command });
    }

    /// The engineer changes the file, and has it read.
    fn change_file(&mut self, user: u32, place: usize, random: &mut Random) {
        let Some(daemon) = &mut self.daemon else { return };
        if daemon.is_proving || daemon.is_stopping {
            return;
        }
        daemon.is_proving = true;
        let change = random.below(12);
        let models = self.file.models.len();
        let model = random.index(models);
        if change > 0 {
            self.file.number = self.file.number.wrapping_add(1).max(1);
        }
        let index = self.file.slots.iter().position(|slot| slot.place == place);
        let what = match (change, index) {
            (0, _) => "nothing",
            (1, Some(index)) if self.file.slots.len() > 1 => {
                self.file.slots.remove(index);
                "a slot is removed"
            }
            (1 | 2, None) => {
                let slot = new_slot(&self.floor, self.file.number, place, model);
                self.file.slots.push(slot);
                "a slot is added"
            }
            (2, Some(index)) => {
                let name = &mut self.file.slots[index].name;
                *name = if name.starts_with('A') { name.replace('A', "B") } else { name.replace('B', "A") };
                "a slot is renamed"
            }
            (3, Some(index)) => {
                let other = random.index(self.file.slots.len());
                let (one, two) = (self.file.slots[index].place, self.file.slots[other].place);
                (self.file.slots[index].place, self.file.slots[other].place) = (two, one);
                "two slots exchange their ports"
            }
            (4, Some(index)) => {
                self.file.slots[index].model = model;
                "a slot gets another model"
            }
            (5, _) => {
                let image = u8::try_from(random.below(u64::from(IMAGES))).unwrap_or(0);
                self.file.models[model].image = image;
                "a model gets another image"
            }
            (6, _) => {
                self.file.models[model].is_armed = !self.file.models[model].is_armed;
                "a model gets or loses its image"
            }
            (7, _) => {
                self.file.station.first_off = !self.file.station.first_off;
                "first_off"
            }
            (8, _) => {
                self.file.station.recheck_done = !self.file.station.recheck_done;
                "done"
            }
            (9, _) => {
                self.file.station.settle = Duration::from_millis(random.between(1, 10) * 100);
                "settle"
            }
            (10, Some(index)) => {
                let slot = &mut self.file.slots[index];
                (slot.reuse, slot.erase_marks, slot.is_taught) = (random.chance(700), random.chance(300), random.chance(300));
                "the policy of a slot"
            }
            _ => {
                let device = random.chance(500).then(|| u8::try_from(random.below(2)).unwrap_or(0));
                self.file.models[model].device = device;
                "a model is another device"
            }
        };
        self.say(|_| format!("the engineer changes the configuration: {what}"));
        let asked_by = random.chance(500).then_some(user);
        self.in_daemon(random.between(20, 1500), What::Proved { asked_by });
    }
}

fn new_slot(floor: &Floor, number: u8, place: usize, model: usize) -> SlotDraft {
    let place = place % floor.places.len();
    SlotDraft {
        name: format!("C{number}"),
        place,
        model,
        reuse: true,
        erase_marks: false,
        capacity: None,
        covered_only: false,
        is_taught: false,
    }
}
