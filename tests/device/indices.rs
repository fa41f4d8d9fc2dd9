//! No index of any kernel leaves its array: what allows shaders to run without runtime checks.
//!
//! Each kernel is rewritten so that every index into a bound buffer or an array of its workgroup is compared with the
//! array's length while it runs; those that are too large are counted. Then every plan trains and evaluates, with
//! batches that fill no tile.

use crate::common::named;
use crate::common::training::with_batch;
use crate::common::trials::{Outcome, ignored_without_features, on_each};
use gpubench::check;
use gpubench::gpu::{Adapters, Gpu, Needs, Pipelines};
use gpubench::kernels::{Access, Amount, Binding, BufferSpec, Choice, Element, Kernel, Plan, all_choices, plan_named};
use gpubench::trainer::{Stage, Trainer, TrainingConfig};
use libtest_mimic::Trial;
use std::sync::Arc;

/// The buffer that counts indices beyond their array.
const BEYOND: &str = "beyond";

/// Counts in a private variable: with an atomic operation at every index drivers would compile for minutes.
const GUARD: &str = "
var<private> outside: u32;

fn inside(index: u32, length: u32) -> u32 {
    outside += select(0u, 1u, index >= length);
    return min(index, length - 1u);
}

fn tell() {
    if outside > 0u {
        atomicAdd(&beyond[0], outside);
    }
    outside = 0u;
}
";

/// Names of arrays and the expressions of their lengths.
fn arrays(kernel: &Kernel, source: &str) -> Vec<(String, String)> {
    let storage = kernel.bindings.iter().filter(|binding| matches!(binding.access, Access::Read | Access::Write));
    let mut arrays: Vec<(String, String)> =
        storage.map(|binding| (binding.name.to_owned(), format!("arrayLength(&{})", binding.name))).collect();
    for line in source.lines() {
        // Uniforms have arrays of fixed lengths too, but for the step record.
        let line = line.trim();
        let declared = line.strip_prefix("var<workgroup> ").or_else(|| Some(line.split_once("var<uniform> ")?.1));
        let Some(rest) = declared.filter(|rest| rest.contains(": array<")) else { continue };
        let (name, kind) = rest.split_once(": array<").expect("workgroup memory holds arrays");
        let kind = kind.strip_suffix(">;").expect("the declaration ends the line");
        let (_, length) = kind.rsplit_once(", ").expect("its length comes last");
        arrays.push((name.to_owned(), length.to_owned()));
    }
    arrays
}

/// `source` with every first index into one of `arrays` put through `inside`; counts them.
fn guarded(source: &str, arrays: &[(String, String)], count: &mut usize) -> String {
    let mut out = String::new();
    let mut rest = source;
    'next: while let Some(letter) = rest.chars().next() {
        let before = out.chars().next_back();
        let begins_word =
            !before.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.');
        for (name, length) in arrays.iter().filter(|_| begins_word) {
            let Some(index) = rest.strip_prefix(name.as_str()).and_then(|after| after.strip_prefix('[')) else {
                continue;
            };
            let mut depth = 1;
            let end = index
                .find(|letter| {
                    depth += match letter {
                        '[' => 1,
                        ']' => -1,
                        _ => 0,
                    };
                    depth == 0
                })
                .expect("brackets are closed");
            *count += 1;
            out += &format!("{name}[inside(u32({}), {length})]", guarded(&index[..end], arrays, count));
            rest = &index[end + 1..];
            continue 'next;
        }
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    out
}

/// `source` with the count told wherever the entry point `name` ends.
fn telling(source: &str, name: &str) -> String {
    let source = source.replace("return;", "{ tell(); return; }");
    let entry = source.find(&format!("fn {name}(")).expect("the entry point has the kernel's name");
    let body = entry + source[entry..].find(") {\n").expect("it has a body");
    let end = body + source[body..].find("\n}").expect("its body ends at the margin");
    format!("{}\n    tell();{}", &source[..end], &source[end..])
}

/// The kernel with its indices counted; it lives as long as the test program. Its loops stay loops: they have the
/// indices of the unrolled statements, and drivers compile them in a tenth of the time.
fn counting(kernel: &'static Kernel) -> &'static Kernel {
    let source: String =
        kernel.text().lines().map(|line| format!("{}\n", line.split("//").next().unwrap_or_default())).collect();
    let arrays = arrays(kernel, &source);
    let mut count = 0;
    let mut source = telling(&guarded(&source, &arrays, &mut count), kernel.name);
    assert!(count > 0, "{} has no index", kernel.name);
    let place = kernel.bindings.len();
    source += &format!("\n@group(0) @binding({place}) var<storage, read_write> beyond: array<atomic<u32>>;\n{GUARD}");
    let bindings: Vec<Binding> =
        kernel.bindings.iter().copied().chain([Binding { name: BEYOND, access: Access::Write }]).collect();
    Box::leak(Box::new(Kernel {
        name: kernel.name,
        source: source.leak(),
        shared: &[],
        bindings: bindings.leak(),
        constants: kernel.constants,
        tile: kernel.tile,
    }))
}

/// `plan` with all its indices counted; of one with 16-bit arithmetic those of the kernel that no other plan has.
fn counting_plan(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let some = plan.needs_f16();
    let dispatches = plan.training.iter_mut().chain(&mut plan.evaluation);
    for dispatch in dispatches.filter(|dispatch| !some || dispatch.kernel.needs_f16()) {
        dispatch.kernel = counting(dispatch.kernel);
        dispatch.buffers.push(BEYOND.to_owned());
    }
    plan.buffers.push(BufferSpec { name: BEYOND.to_owned(), element: Element::U32, length: Amount::fixed(4) });
    plan
}

fn open(adapters: &Adapters, index: usize) -> gpubench::Result<Gpu> {
    let info = &adapters.infos()[index];
    let (subgroups, f16) = (info.subgroups, adapters.offers_f16(info));
    let needs = Needs { storage_buffers: 10, checked: true, subgroups, f16, ..Needs::default() };
    pollster::block_on(Gpu::open(adapters, info, needs))
}

/// Trains an epoch whose last batch is smaller and evaluates; gives how many indices were too large.
fn beyond(
    gpu: &Gpu,
    pipelines: &Pipelines,
    plan: &Plan,
    config: &TrainingConfig,
    images: usize,
) -> gpubench::Result<u32> {
    pollster::block_on(async {
        let dataset = check::random_dataset(images, 3);
        let start = check::random_parameters(&config.model, config.seed);
        let mut trainer = Trainer::new(gpu, pipelines, plan, config, &dataset, &start).await?;
        trainer.begin_epoch(0);
        gpu.wait(trainer.submit(Stage::Training, 0..trainer.steps_per_epoch())?).await?;
        gpu.wait(trainer.submit(Stage::Evaluation, 0..trainer.evaluation_batches())?).await?;
        Ok(trainer.buffers().read::<u32>(gpu, BEYOND, 1).await?[0])
    })
}

fn no_index_leaves_its_array(adapters: &Adapters, index: usize, plan: &str) -> Outcome {
    let gpu = open(adapters, index)?;
    let config = with_batch(128);
    let plan = counting_plan(&plan_named(plan)?.make(&config.model, &config.training, config.seed));
    let pipelines = pollster::block_on(Pipelines::compile(&gpu, &plan))?;
    for (batch, images) in [(1, 2), (3, 7), (17, 40), (128, 224)] {
        let beyond = beyond(&gpu, &pipelines, &plan, &with_batch(batch), images)?;
        assert_eq!(beyond, 0, "indices beyond their arrays in {} with a batch of {batch}", plan.name);
    }
    Ok(())
}

/// Buffers that are too short make a kernel read where nothing is: the count must see it.
fn a_wrong_index_is_counted(adapters: &Adapters, index: usize, plan: &str) -> Outcome {
    let gpu = open(adapters, index)?;
    let config = with_batch(3);
    let mut plan = counting_plan(&plan_named(plan)?.make(&config.model, &config.training, config.seed));
    for buffer in plan.buffers.iter_mut().filter(|buffer| buffer.name != BEYOND) {
        buffer.length = Amount::fixed(4);
    }
    let pipelines = pollster::block_on(Pipelines::compile(&gpu, &plan))?;
    assert!(beyond(&gpu, &pipelines, &plan, &config, 7)? > 0, "nothing was counted");
    Ok(())
}

type Test = fn(&Adapters, usize, &str) -> Outcome;

const TESTS: [(&str, Test); 2] = named![no_index_leaves_its_array, a_wrong_index_is_counted];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    let tests = |index: usize| {
        let of_test = |(name, test): (&'static str, Test)| {
            let adapters = adapters.clone();
            // That wrong indices are counted depends on the kernels alone.
            let counts = move |choice: &Choice| name == TESTS[0].0 || choice.to_string() == choice.row.name;
            all_choices().into_iter().filter(counts).map(|choice| choice.to_string()).map(move |plan| {
                let adapters = adapters.clone();
                (format!("{name} in {plan}"), move || test(&adapters, index, &plan))
            })
        };
        TESTS.into_iter().flat_map(of_test).collect()
    };
    ignored_without_features(on_each(adapters, TESTS.map(|(name, _)| name), tests), adapters)
}
