//! A gate in front of a card: it lets every request pass, until one arrives at which the card stops. From then on no request is answered
//! before the gate is opened, so that a fault strikes between two known requests.

use std::fmt;

use super::request::Request;

/// Decides for each request, in the order of arrival, whether the card stops at it.
pub type StopsAt = Box<dyn FnMut(&Request) -> bool + Send>;

/// The gate of one card; the default is open for ever.
#[derive(Default)]
pub(super) struct Gate {
    stops_at: Option<StopsAt>,
    stopped: Option<Request>,
}

impl Gate {
    /// Closes behind the last request before the one at which it stops.
    pub(super) fn set(&mut self, stops_at: StopsAt) {
        (self.stops_at, self.stopped) = (Some(stops_at), None);
    }

    /// Lets everything pass from now on.
    pub(super) fn open(&mut self) {
        (self.stops_at, self.stopped) = (None, None);
    }

    /// A request arrives.
    pub(super) fn arrives(&mut self, request: Request) {
        if self.stops_at.as_mut().is_some_and(|stops| stops(&request)) {
            (self.stops_at, self.stopped) = (None, Some(request));
        }
    }

    /// The request at which the card has stopped.
    pub(super) fn stopped(&self) -> Option<Request> {
        self.stopped
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("is_set", &self.stops_at.is_some()).field("stopped", &self.stopped).finish()
    }
}
