//! Collapse metrics against their definitions at 400 bits: every value lies within its own error bound.

mod accuracy;
mod check;
mod conventions;
mod definitions;
mod linear;
mod random;
mod ties;
