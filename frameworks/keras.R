# Keras on TensorFlow, driven from R through reticulate, as the R package keras drives it: every call is R's.
#
#     Rscript keras.R TASK.py --work FOLDER [--device cpu|gpu] [--epochs N] [--steps N]
#
# task.py says what a trainer answers.

library(reticulate)

given <- commandArgs(trailingOnly = TRUE)
task <- import_from_path("task", dirname(given[1]), convert = FALSE)
answers <- task$own_stdout()
options <- task$arguments(as.list(c("keras.R", given[-1])))
if (py_to_r(options$device) == "cpu") Sys.setenv(CUDA_VISIBLE_DEVICES = "")
Sys.setenv(KERAS_BACKEND = "tensorflow", TF_CPP_MIN_LOG_LEVEL = "2")

make <- function() {
  os <- import("os")
  for (name in c("CUDA_VISIBLE_DEVICES", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")) {
    if (nzchar(Sys.getenv(name)) || name == "CUDA_VISIBLE_DEVICES" && py_to_r(options$device) == "cpu") {
      os$environ[[name]] <- Sys.getenv(name)
    }
  }
  np <- import("numpy", convert = FALSE)
  tf <- import("tensorflow")
  keras <- import("keras", convert = FALSE)
  tf$config$experimental$enable_tensor_float_32_execution(FALSE)
  gpus <- tf$config$list_physical_devices("GPU")
  if (py_to_r(options$device) == "gpu" && length(gpus) == 0) stop("tensorflow sees no GPU")

  work <- task$Work(options$work, options$steps)
  weights <- task$to_keras(work$weights)
  batch <- py_to_r(task$BATCH)
  layers <- py_to_r(task$LAYERS)

  reset <- function(model) {
    for (layer in layers) {
      model$get_layer(layer)$set_weights(list(weights[paste0(layer, ".weight")], weights[paste0(layer, ".bias")]))
    }
    task$forget(model$optimizer)
  }
  build <- function(dropout) {
    l <- keras$layers
    model <- keras$Sequential(list(
      l$Input(tuple(28L, 28L, 1L)),
      l$Conv2D(32L, 4L, activation = "relu", name = "conv1"), l$MaxPooling2D(),
      l$Conv2D(16L, 3L, activation = "relu", name = "conv2"), l$MaxPooling2D(),
      l$Flatten(), l$Dropout(dropout),
      l$Dense(128L, activation = "relu", name = "fc1"), l$Dense(64L, activation = "relu", name = "fc2"),
      l$Dense(10L, name = "fc3")
    ))
    # 0.05 / (1 + 1e-5 t), t counted in steps.
    rate <- keras$optimizers$schedules$InverseTimeDecay(task$RATE, decay_steps = 1L, decay_rate = task$DECAY)
    model$compile(
      optimizer = keras$optimizers$SGD(rate, momentum = task$MOMENTUM),
      loss = keras$losses$SparseCategoricalCrossentropy(from_logits = TRUE)
    )
    reset(model)
    model
  }
  model <- build(py_to_r(task$DROPOUT))
  images <- function() work$floats(work$train_images)
  labels <- function() work$train_labels$astype(np$int32)
  fit <- function(model, x, y, order) {
    history <- model$fit(
      x$take(order, 0L), y$take(order), batch_size = batch, epochs = 1L, shuffle = FALSE, verbose = 0L
    )
    py_to_r(history$history)$loss[[1]]
  }
  self <- SimpleNamespace(
    epochs = options$epochs,
    about = dict(
      version = paste(as.character(packageVersion("reticulate")), "reticulate, R", as.character(getRversion())),
      backend = paste("tensorflow", tf$`__version__`, "keras", py_to_r(keras$`__version__`)),
      device = if (length(gpus) > 0) "GPU" else task$on_cpu()
    ),
    warm_up = function() {
      order <- work$warm_up_order(20L)
      fit(model, images(), labels(), order)
      py_to_r(task$batches(order)$`__len__`())
    },
    losses = function(steps) {
      plain <- build(0)
      x <- images()
      y <- labels()
      task$each_batch(work, steps, function(batch) {
        plain$reset_metrics()
        py_to_r(plain$train_on_batch(x$take(batch, 0L), y$take(batch)))
      })
    },
    prepare = function() {
      reset(model)
      NULL
    },
    train = function() {
      x <- images()
      y <- labels()
      task$timed_epochs(self$epochs, function(epoch) fit(model, x, y, work$order(epoch)))
    },
    errors = function() {
      logits <- model$predict(work$floats(work$test_images), batch_size = 1000L, verbose = 0L)
      np$not_equal(logits$argmax(1L), work$test_labels)$sum()
    }
  )
  self
}
SimpleNamespace <- import("types", convert = FALSE)$SimpleNamespace
task$serve(make, answers)
