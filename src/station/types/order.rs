//! Production orders: a target number of good cards of a model, and the boxes that the cards are packed into.

/// The number of an order, counted over the whole life of a station's log.
pub(crate) type OrderNumber = u64;

/// So many good cards of one model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// The number of the order in the flash log.
    pub number: OrderNumber,
    /// `BRAND/MODEL` as in the log.
    pub model: String,
    /// What people call it.
    pub name: Option<String>,
    /// The work order it is for, as the factory's own system names it.
    pub work_order: Option<String>,
    /// How many are wanted.
    pub count: u32,
    /// How many are good, and on disk as such.
    pub passed: u32,
    /// The boxes that its good cards are packed into; nothing where they are not counted.
    pub boxes: Option<Boxes>,
}

/// The boxes of an order, as far as they are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Boxes {
    /// How many good cards fill one. As it was configured when the order began, and never zero.
    pub size: u32,
    /// How many are closed.
    pub closed: u32,
    /// How many cards were good when their box was closed, of all closed boxes.
    pub packed: u32,
}

impl Boxes {
    /// Boxes of this size, none of them closed; nothing where none are counted.
    #[must_use]
    pub(crate) fn of_size(size: Option<u32>) -> Option<Self> {
        size.filter(|size| *size > 0).map(|size| Self { size, closed: 0, packed: 0 })
    }
}

impl Order {
    /// Nothing is missing any more.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.passed >= self.count
    }

    /// What people call it, else its number.
    #[must_use]
    pub(crate) fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("no. {}", self.number))
    }
}
