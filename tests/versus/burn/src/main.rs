//! gpubench's network and optimiser in Burn. `versus-burn START` reads weights and digits from the safetensors file
//! START, then answers each request on stdin, `{"what": "losses" | "time", "steps": N}`, with one line of JSON on
//! stdout.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, DeviceKind, Int, Tensor, TensorData};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

/// Images in a step.
const BATCH: usize = 128;

#[derive(Module, Debug)]
struct Net {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    dropout: Dropout,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Net {
    fn new(start: &SafeTensors<'_>, dropout: f64, device: &Device) -> Result<Self, Box<dyn Error>> {
        let conv = |name: &str, channels, size| -> Result<Conv2d, Box<dyn Error>> {
            let mut layer = Conv2dConfig::new(channels, [size, size]).init(device);
            layer.weight = Param::from_data(values(start, &format!("{name}.weight"))?, device);
            layer.bias = Some(Param::from_data(values(start, &format!("{name}.bias"))?, device));
            Ok(layer)
        };
        let dense = |name: &str, inputs, outputs| -> Result<Linear, Box<dyn Error>> {
            let mut layer = LinearConfig::new(inputs, outputs).init(device);
            // Burn's layout is [inputs, outputs], PyTorch's the other way round.
            let weight = Tensor::<2>::from_data(values(start, &format!("{name}.weight"))?, device).transpose();
            layer.weight = Param::from_data(weight.into_data(), device);
            layer.bias = Some(Param::from_data(values(start, &format!("{name}.bias"))?, device));
            Ok(layer)
        };
        Ok(Self {
            conv1: conv("conv1", [1, 32], 4)?,
            conv2: conv("conv2", [32, 16], 3)?,
            pool: MaxPool2dConfig::new([2, 2]).init(),
            dropout: DropoutConfig::new(dropout).init(),
            fc1: dense("fc1", 400, 128)?,
            fc2: dense("fc2", 128, 64)?,
            fc3: dense("fc3", 64, 10)?,
        })
    }

    /// Images [N, 1, 28, 28] to logits [N, 10].
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.conv1.forward(images)));
        let x = self.pool.forward(relu(self.conv2.forward(x)));
        let x = self.dropout.forward(x.flatten::<2>(1, 3));
        let x = relu(self.fc2.forward(relu(self.fc1.forward(x))));
        self.fc3.forward(x)
    }
}

/// A tensor of the file.
fn values(start: &SafeTensors<'_>, name: &str) -> Result<TensorData, Box<dyn Error>> {
    let tensor = start.tensor(name)?;
    let floats: Vec<f32> = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(TensorData::new(floats, tensor.shape().to_vec()))
}

/// The digits of the file, in batches on the device.
fn batches(start: &SafeTensors<'_>, device: &Device) -> Result<Vec<(Tensor<4>, Tensor<1, Int>)>, Box<dyn Error>> {
    let images = Tensor::<4>::from_data(values(start, "images")?, device);
    let labels = Tensor::<1>::from_data(values(start, "labels")?, device).int();
    let count = labels.dims()[0] / BATCH;
    let batch = |index: usize| {
        let range = index * BATCH..(index + 1) * BATCH;
        let images = images.clone().slice([range.clone(), 0..1, 0..28, 0..28]);
        (images, labels.clone().slice([range]))
    };
    Ok((0..count).map(batch).collect())
}

struct Trainer {
    net: Option<Net>,
    optimizer: ModuleOptimizer,
    loss: CrossEntropyLoss,
    step: usize,
}

impl Trainer {
    fn new(net: Net, device: &Device) -> Self {
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
        let optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
        Self { net: Some(net), optimizer, loss: CrossEntropyLossConfig::new().init(device), step: 0 }
    }

    /// One training step, up to its loss on the host.
    fn step(&mut self, (images, labels): &(Tensor<4>, Tensor<1, Int>)) -> Result<f32, Box<dyn Error>> {
        let net = self.net.take().ok_or("a step failed before this one")?;
        let loss = self.loss.forward(net.forward(images.clone()), labels.clone());
        let rate = 0.05 / (1.0 + 1e-5 * self.step as f64);
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        self.net = Some(self.optimizer.step(rate, net, gradients));
        self.step += 1;
        Ok(loss.into_data().to_vec::<f32>()?[0])
    }
}

fn answer(request: &Value, start: &SafeTensors<'_>, device: &Device) -> Result<Value, Box<dyn Error>> {
    let dropout = if request["what"] == "losses" { 0.0 } else { 0.2 };
    let steps = request["steps"].as_u64().ok_or("a request needs its number of steps")? as usize;
    let batches = batches(start, device)?;
    let mut trainer = Trainer::new(Net::new(start, dropout, device)?, device);
    let (mut losses, mut durations_s) = (Vec::new(), Vec::new());
    device.sync()?;
    for step in 0..steps {
        let begun = Instant::now();
        losses.push(trainer.step(&batches[step % batches.len()])?);
        device.sync()?;
        durations_s.push(begun.elapsed().as_secs_f64());
    }
    Ok(json!({ "losses": losses, "durations_s": durations_s }))
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: versus-burn START.safetensors")?;
    let bytes = std::fs::read(path)?;
    let start = SafeTensors::deserialize(&bytes)?;
    let device = Device::wgpu(DeviceKind::DefaultDevice).autodiff();
    let mut stdout = std::io::stdout();
    let adapter = device.identity().map_or("n/a (not told)".to_owned(), |identity| identity.name);
    writeln!(stdout, "{}", json!({ "version": "0.22.0", "device": adapter }))?;
    for line in std::io::stdin().lock().lines() {
        let told = answer(&serde_json::from_str(&line?)?, &start, &device)?;
        writeln!(stdout, "{told}")?;
    }
    Ok(())
}
