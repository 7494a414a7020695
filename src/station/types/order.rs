//! Production orders: a target number of good cards of a model, and the boxes that the cards are packed into.

/// The number of an order, counted over the whole life of a station's log.
pub(crate) type OrderNumber = u64;

/// An order of a number of good cards of one model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// The number of the order in the flash log.
    pub number: OrderNumber,
    /// `BRAND/MODEL` as in the log.
    pub model: String,
    /// The name that people gave it.
    pub name: Option<String>,
    /// Its work order, as the factory's own system names it.
    pub work_order: Option<String>,
    /// The number of ordered cards.
    pub count: u32,
    /// The number of good cards that are on disk.
    pub passed: u32,
    /// The boxes for its good cards; `None` if they are not counted.
    pub boxes: Option<Boxes>,
}

/// The boxes of an order that are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Boxes {
    /// The number of good cards that fill one. It is configured when the order begins, and never zero.
    pub size: u32,
    /// The number of closed boxes.
    pub closed: u32,
    /// The number of cards in all closed boxes that were good when their box was closed.
    pub packed: u32,
}

impl Boxes {
    /// Boxes of this size, none of them closed; `None` if boxes are not counted.
    #[must_use]
    pub(crate) fn of_size(size: Option<u32>) -> Option<Self> {
        size.filter(|size| *size > 0).map(|size| Self { size, closed: 0, packed: 0 })
    }
}

impl Order {
    /// No card is missing any more.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.passed >= self.count
    }

    /// Its name, else its number.
    #[must_use]
    pub(crate) fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("no. {}", self.number))
    }
}
