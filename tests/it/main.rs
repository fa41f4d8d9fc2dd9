//! What needs no adapter: the library, the program as a process, reports, the shaders' text, the architecture of the
//! sources.

#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod ab;
mod architecture;
mod card;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod counts;
mod cpu;
mod cpu_cli;
mod data;
#[cfg(feature = "mpi")]
mod distributed;
mod endings;
mod explain;
mod first_contact;
mod flat_csv;
#[cfg(unix)]
mod fleet;
mod foreign;
mod frames;
#[cfg(unix)]
mod frameworks;
mod golden;
mod gradients;
mod hosts;
mod html;
mod inputs;
mod interval;
mod judged;
mod kernels_cli;
mod load;
mod output;
mod peaks;
mod predictions;
mod recomputed;
mod reference;
mod report;
mod scaling;
mod scarce;
mod shaders;
mod site;
mod snapshots;
mod stamps;
mod sweep;
mod synthetic;
mod table;
mod trace;
mod turns;
mod verdict;
mod verify;
mod weights;
mod work;
