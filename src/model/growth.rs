//! When to drop what is kept of things that are gone.

/// The least that may be kept, however little is in use.
pub(crate) const SPARE: usize = 4096;

/// How many entries may be kept where so many are in use: with more, those that are not are dropped.
/// That is so many that it seldom happens, for it takes a pass over all of them.
pub(crate) const fn most_kept(in_use: usize) -> usize {
    2 * in_use + SPARE
}
