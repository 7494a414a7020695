//! Flashline.
