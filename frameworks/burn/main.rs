//! gpubench's network and optimiser in Burn: `gpubench-burn --work FOLDER [--epochs N] [--steps N]`. It reads what
//! gpubench wrote into the folder, and answers the requests of `task.py` on stdin with one line of JSON each on stdout.

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
use std::path::Path;
use std::time::Instant;

/// Images in a step.
const BATCH: usize = 128;
/// Values of an image.
const PIXELS: usize = 28 * 28;
/// Steps of a warm-up, besides one of the smaller last batch.
const WARM_UP_STEPS: usize = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

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
    fn new(start: &SafeTensors<'_>, dropout: f64, device: &Device) -> Outcome<Self> {
        let conv = |name: &str, channels, size| -> Outcome<Conv2d> {
            let mut layer = Conv2dConfig::new(channels, [size, size]).init(device);
            layer.weight = Param::from_data(values(start, &format!("{name}.weight"))?, device);
            layer.bias = Some(Param::from_data(values(start, &format!("{name}.bias"))?, device));
            Ok(layer)
        };
        let dense = |name: &str, inputs, outputs| -> Outcome<Linear> {
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
fn values(start: &SafeTensors<'_>, name: &str) -> Outcome<TensorData> {
    let tensor = start.tensor(name)?;
    let floats: Vec<f32> = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(TensorData::new(floats, tensor.shape().to_vec()))
}

/// What gpubench wrote into the folder.
struct Work {
    images: [Vec<u8>; 2],
    labels: [Vec<u8>; 2],
    orders: Vec<Vec<usize>>,
    weights: Vec<u8>,
    epochs: usize,
}

impl Work {
    /// Reads the folder; `steps` cuts each epoch short.
    fn read(folder: &Path, epochs: usize, steps: usize) -> Outcome<Self> {
        let read = |name: &str| std::fs::read(folder.join(name));
        let labels = [read("train-labels.u8")?, read("test-labels.u8")?];
        let orders = read("orders.u32")?;
        let index = |four: &[u8; 4]| u32::from_le_bytes(*four) as usize;
        let order: Vec<usize> = orders.as_chunks::<4>().0.iter().map(index).collect();
        let used = if steps == 0 { labels[0].len() } else { labels[0].len().min(steps * BATCH) };
        let orders = order.chunks(labels[0].len()).map(|order| order[..used].to_vec()).collect();
        let images = [read("train-images.u8")?, read("test-images.u8")?];
        Ok(Self { images, labels, orders, weights: read("weights.safetensors")?, epochs })
    }

    /// Images and labels of a split (0 for training, 1 for testing) on the device.
    fn batch(&self, split: usize, indices: &[usize], device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
        let image = |&index: &usize| &self.images[split][index * PIXELS..(index + 1) * PIXELS];
        let floats: Vec<f32> = indices.iter().flat_map(image).map(|&value| f32::from(value) / 255.0).collect();
        let labels: Vec<i32> = indices.iter().map(|&index| i32::from(self.labels[split][index])).collect();
        let images = Tensor::from_data(TensorData::new(floats, [indices.len(), 1, 28, 28]), device);
        (images, Tensor::from_data(TensorData::new(labels, [indices.len()]), device))
    }
}

/// A training under way.
struct Trainer<'a> {
    work: &'a Work,
    device: &'a Device,
    net: Option<Net>,
    optimizer: ModuleOptimizer,
    loss: CrossEntropyLoss,
    step: usize,
}

impl<'a> Trainer<'a> {
    fn new(work: &'a Work, dropout: f64, device: &'a Device) -> Outcome<Self> {
        let net = Net::new(&SafeTensors::deserialize(&work.weights)?, dropout, device)?;
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
        let optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
        let loss = CrossEntropyLossConfig::new().init(device);
        Ok(Self { work, device, net: Some(net), optimizer, loss, step: 0 })
    }

    /// One training step; its loss stays on the device.
    fn step(&mut self, batch: &[usize]) -> Outcome<Tensor<1>> {
        let (images, labels) = self.work.batch(0, batch, self.device);
        let net = self.net.take().ok_or("a step failed before this one")?;
        let loss = self.loss.forward(net.forward(images), labels);
        let rate = 0.05 / (1.0 + 1e-5 * self.step as f64);
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        self.net = Some(self.optimizer.step(rate, net, gradients));
        self.step += 1;
        Ok(loss.detach())
    }

    /// One pass over the images; its mean loss, once it is on the host.
    fn epoch(&mut self, number: usize) -> Outcome<f64> {
        let order = self.work.orders.get(number).ok_or("there is no order for so many epochs")?;
        let mut sum: Option<Tensor<1>> = None;
        for batch in order.chunks(BATCH) {
            let loss = self.step(batch)? * batch.len() as f32;
            sum = Some(sum.map_or_else(|| loss.clone(), |sum| sum + loss.clone()));
        }
        let sum = sum.ok_or("there is no image")?.into_data().to_vec::<f32>()?[0];
        self.device.sync()?;
        Ok(f64::from(sum) / order.len() as f64)
    }

    /// A few steps and one of the last batch; how many these are.
    fn warm_up(&mut self) -> Outcome<usize> {
        let batches: Vec<&[usize]> = self.work.orders[0].chunks(BATCH).collect();
        let last = batches.last().filter(|last| last.len() < BATCH);
        let few: Vec<&[usize]> = batches.iter().take(WARM_UP_STEPS).chain(last).copied().collect();
        for batch in &few {
            self.step(batch)?.into_data();
        }
        self.device.sync()?;
        Ok(few.len())
    }

    /// Test images that are misclassified.
    fn errors(&self) -> Outcome<usize> {
        let mut net = self.net.clone().ok_or("nothing was trained")?;
        net.dropout.prob = 0.0;
        let indices: Vec<usize> = (0..self.work.labels[1].len()).collect();
        let mut wrong = 0;
        for part in indices.chunks(500) {
            let (images, _) = self.work.batch(1, part, self.device);
            let logits = net.forward(images).into_data().to_vec::<f32>()?;
            let guess = |logits: &[f32]| (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
            let guesses = logits.chunks(10).map(guess).zip(part);
            wrong += guesses.filter(|(guess, index)| *guess != Some(usize::from(self.work.labels[1][**index]))).count();
        }
        Ok(wrong)
    }
}

fn answer(request: &Value, work: &mut Work, trained: &mut Option<Net>, device: &Device) -> Outcome<Value> {
    let number = |name: &str| request[name].as_u64().map_or(0, |number| number as usize);
    match request["what"].as_str().unwrap_or_default() {
        "epochs" => {
            work.epochs = number("epochs");
            Ok(json!({ "epochs": [] }))
        }
        "warm_up" => Ok(json!({ "steps": Trainer::new(work, 0.2, device)?.warm_up()? })),
        "losses" => {
            let mut plain = Trainer::new(work, 0.0, device)?;
            let batches = work.orders[0].chunks(BATCH).take(number("steps"));
            let losses = batches.map(|batch| Ok(plain.step(batch)?.into_data().to_vec::<f32>()?[0]));
            Ok(json!({ "losses": losses.collect::<Outcome<Vec<f32>>>()? }))
        }
        "prepare" => {
            *trained = None;
            Ok(json!({ "prepared": true }))
        }
        "train" => {
            let mut trainer = Trainer::new(work, 0.2, device)?;
            let mut told = Vec::new();
            for epoch in 0..work.epochs {
                let begun = Instant::now();
                let loss = trainer.epoch(epoch)?;
                told.push(json!([begun.elapsed().as_secs_f64(), loss]));
            }
            *trained = trainer.net;
            Ok(json!({ "epochs": told }))
        }
        "errors" => {
            let mut trainer = Trainer::new(work, 0.0, device)?;
            trainer.net = trained.clone();
            Ok(json!({ "errors": trainer.errors()? }))
        }
        other => Err(format!("there is no request {other:?}").into()),
    }
}

/// The value of an option, or `otherwise`.
fn option(name: &str, otherwise: &str) -> String {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone());
    given.unwrap_or_else(|| otherwise.to_owned())
}

fn main() -> Outcome<()> {
    let (epochs, steps) = (option("--epochs", "10").parse()?, option("--steps", "0").parse()?);
    let mut work = Work::read(Path::new(&option("--work", ".")), epochs, steps)?;
    let device = Device::wgpu(DeviceKind::DefaultDevice).autodiff();
    let mut stdout = std::io::stdout();
    let adapter = device.identity().map_or("n/a (not told)".to_owned(), |identity| identity.name);
    let tuned = if cfg!(feature = "tuned") { "fusion and autotune" } else { "no fusion, no autotune" };
    writeln!(stdout, "{}", json!({ "version": "0.22.0", "backend": format!("wgpu, {tuned}"), "device": adapter }))?;
    let mut trained = None;
    for line in std::io::stdin().lock().lines() {
        let told = answer(&serde_json::from_str(&line?)?, &mut work, &mut trained, &device);
        writeln!(stdout, "{}", told.unwrap_or_else(|error| json!({ "error": error.to_string() })))?;
    }
    Ok(())
}
