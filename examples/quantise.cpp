// quantise: a model with its linears in four bits (NF4), as bitsandbytes and Transformers read it.
//
//     quantise --model llama2-7b --out llama2-7b-nf4
//
// Every program takes the folder as --model: adapters are trained on it as QLoRA does. The linears are those that can
// have an adapter; embeddings, head and norms stay as they are.
#include <filesystem>
#include <set>
#include <string>

#include "mor1e/io/save_nf4.hpp"
#include "mor1e/mor1e.hpp"
#include "program.hpp"
#include "progress.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

struct quantise_options {
  program::common_options common;
  std::string model, out;
};

void run(const quantise_options& o) {
  const io::checkpoint base = models::open(o.model);
  require<value_error>(!fs::exists(o.out) || fs::is_empty(o.out), o.out, " is there already; give another --out");
  io::require_writable_folder(o.out, true);
  const auto files = models::tokenizer_files(o.model);
  std::set<std::string> linears;
  {
    cpu device(1);
    const auto model = models::load<cpu, float>(device, o.model);
    for (const auto* group : model->groups())
      for (const auto& part : group->parts()) linears.insert(part.name + ".weight");
  }
  program::progress_line progress("quantise", "tensors", o.common.quiet);
  const io::nf4_summary made =
      io::save_nf4(o.out, base, linears, files, [&](std::size_t done, std::size_t all) { progress.update(done, all); });
  program::say(o.common, "{}: {} linears, {:.1f} MB instead of {:.1f}, relative error {:.4f}, in {}\n", o.model,
               made.linears, double(made.bytes_after) / 1e6, double(made.bytes_before) / 1e6, made.relative_error(),
               o.out);
  program::write_results(o.common, {{"model", o.model},
                                    {"linears", made.linears},
                                    {"bytes_before", made.bytes_before},
                                    {"bytes_after", made.bytes_after},
                                    {"relative_error", made.relative_error()}});
}

}  // namespace

int main(int argc, char** argv) {
  quantise_options options;
  return program::run(
      argc, argv, "quantise", "Puts the linears of a model in four bits (NF4)", options.common,
      [&](CLI::App& app) {
        app.add_option("--model", options.model, "the decoder: folder, .gguf file of floats, short name or toy")
            ->required();
        app.add_option("--out", options.out, "folder to write")->required();
      },
      [&] { run(options); });
}
