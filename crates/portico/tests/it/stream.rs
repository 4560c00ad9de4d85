//! The cases of a stream that cannot lie, through the door: the real binary, a scripted model behind it, bare sockets before it.
//! A test belongs to a case by its name. What the parts promise by themselves is tested in their crates.

mod bytes;
mod clocks;
mod drain;
mod leaving;
mod money;
mod reload;
mod truth;
mod wire;
