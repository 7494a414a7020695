//! Faults that are planted into the simulated world, to see whether the oracle finds them.

/// A fault of the daemon's surroundings, which a station cannot notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The engine says of one card in eight that it is proven, and has not written it.
    EngineLies,
    /// The engine calls the card bad when the image is damaged.
    EngineBlamesCard,
    /// The log confirms one closing row in eight and does not write it.
    LogLosesRow,
    /// The log writes one closing row in eight twice.
    LogWritesTwice,
    /// The log confirms entries before they are on disk.
    LogConfirmsEarly,
    /// The watch reports a card that was swapped by a quick hand as the card before.
    WatchMissesSwap,
    /// The watch does not say that cards were there before the station started.
    WatchForgetsBefore,
    /// The keeper releases claims of proven cards after a second.
    KeeperLetsGo,
    /// The survey does not see that a card is mounted.
    SurveyMissesUse,
    /// One survey in eight is never answered.
    SurveyIsLost,
    /// A restart counts the good cards of an order from zero.
    RestartForgetsCards,
    /// A restart forgets that slots were disarmed.
    RestartForgetsDisarming,
    /// A thread starts twice.
    ThreadStartsTwice,
}

impl Plant {
    /// Every planted fault.
    pub const ALL: &[Self] = &[
        Self::EngineLies,
        Self::EngineBlamesCard,
        Self::LogLosesRow,
        Self::LogWritesTwice,
        Self::LogConfirmsEarly,
        Self::WatchMissesSwap,
        Self::WatchForgetsBefore,
        Self::KeeperLetsGo,
        Self::SurveyMissesUse,
        Self::SurveyIsLost,
        Self::RestartForgetsCards,
        Self::RestartForgetsDisarming,
        Self::ThreadStartsTwice,
    ];
}
