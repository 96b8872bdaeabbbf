//! An expression of `wait --until` that cannot be parsed.

use crate::tcp::state_set::UnknownState;

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// There is nothing but blanks.
    #[error("the condition is empty; write any SET, none SET, all SET or 'count SET >= N'")]
    Empty,
    /// A set of states without a quantity in front.
    #[error("'{0}' is not a condition; write 'any {0}'")]
    NoQuantity(String),
    /// The first word is not a quantity.
    #[error("unknown condition '{0}'; write any SET, none SET, all SET or 'count SET >= N'")]
    UnknownQuantity(String),
    /// A quantity without a set of states.
    #[error("the states after '{0}' are missing; write '{0} ESTABLISHED'")]
    NoStates(String),
    /// The set of states names something that is not a state.
    #[error(transparent)]
    State(#[from] UnknownState),
    /// `count` without an operator.
    #[error("the comparison after 'count' is missing; {COUNT_FORM}")]
    NoComparison,
    /// `count` without a set of states.
    #[error("the states to count are missing; {COUNT_FORM}")]
    NothingToCount,
    /// The operator is not a comparison.
    #[error("unknown operator '{0}'; write one of >= > = < <=")]
    UnknownOperator(String),
    /// `!=`, which is easily taken for an operator.
    #[error("unknown operator '!='; write one of >= > = < <=")]
    NotEqual,
    /// `count LISTEN < 0`
    #[error("no number of sockets is below 0; write 'none {0}' for no socket in {0}")]
    NeverHolds(String),
    /// `count LISTEN >= 0`
    #[error("every number of sockets is at least 0; write 'any {0}' for at least one in {0}")]
    AlwaysHolds(String),
    /// What stands behind the operator is not a number.
    #[error("'{0}' is not a number; {COUNT_FORM}")]
    NotANumber(String),
}

const COUNT_FORM: &str = "write count SET OP N, such as 'count ESTABLISHED >= 5'";
