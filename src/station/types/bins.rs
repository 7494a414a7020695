//! The bins for cards that are taken out: their names in a factory, and their colours.

/// The destination of a card that is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bin {
    /// For cards that are proven.
    Good,
    /// Cards that are not bad: they are put in again, or a person reads the reason.
    NotBad,
    /// For cards that failed: they are never put in again.
    Bad,
}

impl Bin {
    /// All bins of a station.
    pub(crate) const ALL: [Self; 3] = [Self::Good, Self::NotBad, Self::Bad];
}

/// A colour that a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BinColour {
    /// Green: on a panel it means good, and no other bin has it.
    Green,
    /// Yellow; a kernel console shows it as orange.
    Yellow,
    /// Red: the letters on it are white.
    Red,
    /// Blue: the letters on it are white.
    Blue,
    /// Cyan: the letters on it are black.
    Cyan,
    /// Violet, magenta to a terminal: the letters on it are white.
    Violet,
    /// White; a kernel console shows it as light grey.
    White,
}

impl BinColour {
    /// All colours of bins.
    pub(crate) const ALL: [Self; 7] = [Self::Green, Self::Yellow, Self::Red, Self::Blue, Self::Cyan, Self::Violet, Self::White];

    /// The word in a configuration.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
            Self::Blue => "blue",
            Self::Cyan => "cyan",
            Self::Violet => "violet",
            Self::White => "white",
        }
    }
}

/// The name and the colour of a bin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BinLabel {
    /// Its word; `None` if the panel uses that of its language.
    pub word: Option<String>,
    /// The background colour of its word on a panel.
    pub colour: BinColour,
}

/// The three bins beside a station.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bins {
    /// For good cards.
    pub good: BinLabel,
    /// For cards that are not bad.
    pub not_bad: BinLabel,
    /// For bad cards.
    pub bad: BinLabel,
}

impl Default for Bins {
    fn default() -> Self {
        let label = |colour| BinLabel { word: None, colour };
        Self { good: label(BinColour::Green), not_bad: label(BinColour::Yellow), bad: label(BinColour::Red) }
    }
}

impl Bins {
    /// The name of this bin.
    #[must_use]
    pub(crate) fn of(&self, bin: Bin) -> &BinLabel {
        match bin {
            Bin::Good => &self.good,
            Bin::NotBad => &self.not_bad,
            Bin::Bad => &self.bad,
        }
    }
}
