//! Production orders: a target number of good cards of a model.

/// The number of an order, counted over the whole life of a station's log.
pub type OrderNumber = u64;

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
}

impl Order {
    /// Nothing is missing any more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.passed >= self.count
    }

    /// What people call it, else its number.
    #[must_use]
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("no. {}", self.number))
    }
}
