//! Files and clients from elsewhere: data, results and weights as other programs leave them, clients of the page's
//! server.

mod data;
mod fuzz;
mod results;
mod serve;
mod weights;
