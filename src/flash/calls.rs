//! Single calls to a card: each is measured, goes to the card that was admitted, and is repeated as the rules allow.

use super::error::FlashError;
use super::gauge::{Call, Gauge};
use super::retry::repeated;
use super::rules::Rules;
use crate::device::{BlockDevice, Source, read_exact_at, write_all_at};
use crate::station::card::Visit;
use crate::station::outcome::Act;
use crate::station::units::Bytes;

/// Asks the kernel whether the medium in the device is the one of this visit.
pub(super) fn identify(device: &impl BlockDevice, visit: Visit) -> Result<(), FlashError> {
    match device.diskseq() {
        Ok(diskseq) if diskseq == visit.diskseq => Ok(()),
        _ => Err(FlashError::Changed),
    }
}

/// One measured write to the card of this visit, repeated as the rules allow. Returns how often it was repeated.
pub(super) fn write<D: BlockDevice>(
    device: &mut D,
    visit: Visit,
    (gauge, rules): (&Gauge, &Rules),
    span: Bytes,
    at: Bytes,
    source: Source<'_>,
) -> Result<u32, FlashError> {
    repeated(device, gauge, rules.retries, |device| {
        identify(device, visit)?;
        let call = Call { act: Act::Writing, at, length: source.length(), moves: true };
        gauge.time(call, || write_all_at(device, at, source)).map_err(|ended| FlashError::of_call(Act::Writing, span, ended))
    })
}

/// One measured read, repeated as the rules allow, for callers that hold the device and a buffer separately.
pub(super) fn read<D: BlockDevice>(
    device: &mut D,
    (gauge, rules): (&Gauge, &Rules),
    span: Bytes,
    at: Bytes,
    into: &mut [u8],
) -> Result<(), FlashError> {
    let read = |device: &mut D| {
        let call = Call { act: Act::Reading, at, length: into.len(), moves: true };
        gauge.time(call, || read_exact_at(device, at, into)).map_err(|ended| FlashError::of_call(Act::Reading, span, ended))
    };
    repeated(device, gauge, rules.retries, read).map(drop)
}
