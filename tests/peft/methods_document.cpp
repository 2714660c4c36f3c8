// docs/methods.md against the code: its tables between "<!-- computed: NAME -->" and "<!-- end -->" are made here.
//
//     MOR1E_WRITE_DOCS=1 build/tests/test_peft_methods_document      # writes them anew
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/linears.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/peft/accounting.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

/// A row of the tables: a preset, or a preset with an option.
struct entry {
  std::string name;
  peft::adapter_spec spec;
};

std::vector<entry> presets() {
  std::vector<entry> out;
  for (const std::string& name : peft::method_names()) out.push_back({name, peft::preset(name)});
  return out;
}
std::vector<entry> presets_and_options() {
  std::vector<entry> out = presets();
  const auto add = [&](const char* name, auto method, auto change) {
    change(method);
    out.push_back({name, {.method = method}});
  };
  add("mor1e --clusters 48", peft::mor1e{}, [](auto& m) { m.clusters = 48; });
  add("mor1e --intuition-before", peft::mor1e{}, [](auto& m) { m.before = true; });
  add("mor1e --low-rank-router", peft::mor1e{}, [](auto& m) { m.low_rank_router = true; });
  add("mor1e --top-k 8", peft::mor1e{}, [](auto& m) { m.k = 8; });
  add("mor1e --no-router", peft::mor1e{}, [](auto& m) { m.router = false; });
  add("mor1e --no-intuition", peft::mor1e{}, [](auto& m) { m.intuition = false; });
  add("mor1e, router_bias", peft::mor1e{}, [](auto& m) { m.router_bias = true; });
  add("mix --factorised", peft::mix_and_match{}, [](auto& m) { m.factorised = true; });
  add("molora, balance_loss 0.01", peft::molora{}, [](auto& m) { m.losses.balance = 0.01; });
  add("molora, z_loss 0.01", peft::molora{}, [](auto& m) { m.losses.z = 0.01; });
  add("loramoe, type_balance_loss 0.01", peft::loramoe{}, [](auto& m) { m.type_balance = 0.01; });
  out.back().spec.targets = peft::preset("loramoe").targets;
  add("sira, routing_group batch", peft::sira{}, [](auto& m) { m.group = peft::token_group::batch; });
  return out;
}

/// A linear with a method on it.
class adapted_linear {
 public:
  adapted_linear(peft::adapter_spec spec, tensor<float> weights) : clusters_(spec.method.needs().clusters) {
    std::vector<nn::projection<cpu, float>> parts(1);
    parts[0].name = "block.linear";
    parts[0].w = nn::weight<cpu, float>(cpu::frozen<float>(device_, std::move(weights)));
    linears_ = nn::projection_group<cpu, float>(device_, std::move(parts));
    spec.targets.clear();
    set_ = peft::attach(std::vector{&linears_}, spec);
  }
  adapted_linear(const adapted_linear&) = delete;

  auto views() { return set_.views(); }

  struct outcome {
    tensor<float> y;
    double loss = 0;
  };
  /// y of the rows of instances `of` (-1: dead), every instance with the same row of intuition; the sum of the
  /// auxiliary losses of a step of `live` tokens.
  outcome run(const tensor<float>& x, const std::vector<std::int32_t>& of, float intuition, index_t live = 0) {
    tape<cpu> t(device_, recording::forward);
    nn::step_context<cpu, float> step;
    step.batch.instances = t.input<std::int32_t>(view<const std::int32_t>(of.data(), index_t(of.size()), 1));
    const tensor<float> rows(shape{*std::max_element(of.begin(), of.end()) + 1, std::max<index_t>(clusters_, 1)},
                             intuition);
    if (clusters_) step.batch.intuition = t.input<float>(rows.matrix());
    step.mode.training = live > 0;
    std::vector<std::int32_t> segments;  // of instances in one piece
    std::vector<float> types;
    for (std::int32_t i = 0; i < rows.extents()[0]; ++i) {
      const auto begin = std::int32_t(std::find(of.begin(), of.end(), i) - of.begin());
      segments.insert(segments.end(), {begin, begin + std::int32_t(std::count(of.begin(), of.end(), i)), begin, 0, 0});
      types.push_back(i % 2 ? 1.f : -1.f);
    }
    const index_t texts = index_t(types.size());
    step.batch.segments = t.input<std::int32_t>(view<const std::int32_t>(segments.data(), texts, segment_fields));
    step.batch.types = t.input<float>(view<const float>(types.data(), texts, 1));
    const float scale = live ? 1 / float(live) : 0;
    step.batch.token_scale = t.input<float>(view<const float>(&scale, 1, 1));
    outcome out{t.read(linears_.forward(t, t.input<float>(x.matrix()), step))};
    for (const auto& term : step.auxiliary_losses) out.loss += t.read(term.loss)[0];
    return out;
  }

  /// Whether fixed weights can hold what the method does.
  std::string mergeable() {
    const tensor<float> one(shape{1, std::max<index_t>(clusters_, 1)}, 0.5f);
    const auto folds = [&](const peft::fold_options<float>& options) {
      bool done = true;
      set_.each([&](auto& group, auto& adapter) {
        try {
          adapter.fold(device_, group, options);
        } catch (const value_error&) {
          done = false;
        }
      });
      return done;
    };
    if (folds({})) return "yes";
    if (folds({.intuition = one.matrix()})) return "for one text";
    if (folds({.intuition = one.matrix(), .drop_router = true})) return "for one text, without its router";
    return "no";
  }

 private:
  cpu device_{1};
  nn::projection_group<cpu, float> linears_;
  peft::adapter_set<cpu, float> set_;
  index_t clusters_;
};

std::string number(double value) {
  std::ostringstream out;
  out.precision(4);
  out << value;
  return out.str();
}

/// What a method multiplies u_j v_i^T with before it has learned anything, router logits being equal: a + b I where
/// every cosine is I. The mean over the pairs (i, j) that are weighed at all.
std::string multiplier(const peft::adapter_spec& spec) {
  const auto [slots, downs] = std::pair(spec.method.update_rank(), spec.method.down_rows());
  // One input more, which W alone reads: DoRA needs rows that are not zero.
  tensor<float> w(shape{slots, downs + 1}, 0.f);
  for (index_t i = 0; i < slots; ++i) w[i * (downs + 1) + downs] = 1;
  adapted_linear linear(spec, std::move(w));
  const float small = 1.f / (1 << 20);  // so that the updated rows have length 1 in fp32
  for (auto& v : linear.views()) {
    const bool a = v.name.ends_with(".lora_A.weight"), b = v.name.ends_with(".lora_B.weight"),
               map = v.name.ends_with(".intuition_map.weight");
    if (v.name.ends_with(".lora_magnitude_vector")) continue;
    for (index_t i = 0; i < v.extents.rows(); ++i)
      for (index_t j = 0; j < v.extents.cols(); ++j)
        testing::in_place(v)(i, j) = map ? 1 / float(v.extents.cols()) : (a || b) && i == j ? (a ? 1.f : small) : 0.f;
  }
  tensor<float> units(shape{downs, downs + 1}, 0.f);
  for (index_t i = 0; i < downs; ++i) units[i * (downs + 1) + i] = 1;
  const std::vector<std::int32_t> one_text(std::size_t(downs), 0);
  const tensor<float> at0 = linear.run(units, one_text, 0).y, at1 = linear.run(units, one_text, 1).y;
  double constant = 0, slope = 0;
  index_t weighed = 0;
  std::vector<bool> used(std::size_t(slots), false);
  for (index_t k = 0; k < at0.size(); ++k) {
    if (at0[k] == 0 && at1[k] == 0) continue;
    constant += at0[k] / small, slope += (at1[k] - at0[k]) / small, ++weighed;
    used[std::size_t(k % slots)] = true;
  }
  constant /= double(weighed), slope /= double(weighed);
  const index_t met = std::count(used.begin(), used.end(), true);
  std::string out = std::abs(constant) > 1e-6 ? number(constant) : "";
  if (std::abs(slope) > 1e-6)
    out += (out.empty() ? "" : " + ") + (number(slope) == "1" ? "" : number(slope) + " ") + "I";
  return met < slots ? text(out, " in ", met, " of ", slots) : out;
}

/// Whether a step depends on how its examples are cut into micro-batches: three texts in one and each in its own.
std::string any_cut(peft::adapter_spec spec) {
  // What is dropped follows from example and position, however they are packed (tests/train/dropout.cpp).
  for (const char* rate : {"lora_dropout", "gate_dropout"}) spec.method.set(rate, 0.0);
  const index_t inputs = 24, outputs = 10;
  adapted_linear linear(spec, testing::random<float>(shape{outputs, inputs}, 1));
  std::uint64_t key = 10;
  for (auto& v : linear.views()) {
    if (v.name.ends_with(".lora_magnitude_vector")) continue;
    const float size = v.name.find(".gate_") != std::string::npos ? 0.01f : 0.5f;
    const tensor<float> values = testing::random<float>(v.extents, ++key, -size, size);
    v.write(values);
  }
  const std::vector<index_t> lengths{9, 14, 6};
  std::vector<std::int32_t> of{-1};
  for (std::size_t i = 0; i < lengths.size(); ++i) of.insert(of.end(), std::size_t(lengths[i]), std::int32_t(i));
  const index_t rows = index_t(of.size()), live = rows - 1;
  const tensor<float> x = testing::random<float>(shape{rows, inputs}, 3);
  const auto together = linear.run(x, of, 0.3f, live);
  double loss = 0, largest = 0;
  for (index_t i = 0, first = 1; i < index_t(lengths.size()); first += lengths[std::size_t(i++)]) {
    const index_t length = lengths[std::size_t(i)];
    tensor<float> own(shape{length, inputs});
    std::copy_n(x.data() + first * inputs, own.size(), own.data());
    const auto alone = linear.run(own, std::vector<std::int32_t>(std::size_t(length), 0), 0.3f, live);
    loss += alone.loss;
    for (index_t k = 0; k < alone.y.size(); ++k)
      largest = std::max(largest, std::abs(double(alone.y[k]) - double(together.y[first * outputs + k])));
  }
  if (largest > 1e-3) return "no: tokens compete in a micro-batch";
  return std::abs(loss - together.loss) > 1e-3 * std::abs(loss) ? "no: its loss is of a micro-batch" : "yes";
}

/// A key of the configuration that says something, as a word.
std::string setting(const std::string& key, const nlohmann::json& value) {
  const bool loss = key.ends_with("_loss");
  if (value == false || (loss && value == 0)) return "";
  return "`" + key + "` " +
         (value == true       ? "on"
          : value.is_string() ? value.get<std::string>()
                              : number(value.get<double>()));
}

std::string constants() {
  std::string out = "| method | constants | on |\n|---|---|---|\n";
  for (const entry& e : presets()) {
    std::string settings, targets;
    const nlohmann::json config = peft::to_json(e.spec);
    for (const auto& [key, value] : config.items())
      if (key != "peft_type" && key != "seed" && key != "target_modules")
        if (const std::string one = setting(key, value); !one.empty()) settings += (settings.empty() ? "" : ", ") + one;
    for (const std::string& target : e.spec.targets) targets += (targets.empty() ? "`" : ", `") + target + "`";
    out +=
        "| `" + e.name + "` | " + settings + " | " + (targets.empty() ? "every linear but the head" : targets) + " |\n";
  }
  return out;
}

std::string sizes() {
  const models::backbone llama = models::backbone_of({{"model_type", "llama"},
                                                      {"hidden_size", 4096},
                                                      {"num_hidden_layers", 32},
                                                      {"num_attention_heads", 32},
                                                      {"intermediate_size", 11008},
                                                      {"vocab_size", 32000}},
                                                     "Llama-2-7B");
  std::string out =
      "| method | on a linear [out, in] | on [4096, 4096] | Llama-2-7B | % of it | MFLOP a token | of these, routers "
      "|\n"
      "|---|---|---|---|---|---|---|\n";
  for (const entry& e : presets_and_options()) {
    const auto at = [&](std::int64_t in, std::int64_t outputs) {
      return e.spec.method.cost_on(in, outputs).parameters;
    };
    const std::int64_t fixed = at(0, 0), in = at(1, 0) - fixed, outputs = at(0, 1) - fixed;
    REQUIRE(at(4096, 11008) == in * 4096 + outputs * 11008 + fixed);
    const peft::method_cost whole = peft::cost_on(e.spec, llama.linears, llama.layers);
    out += text("| `", e.name, "` | ", in, " in + ", outputs, " out", fixed ? text(" + ", fixed) : "", " | ",
                at(4096, 4096), " | ", whole.parameters, " | ",
                number(100 * double(whole.parameters) / double(llama.parameters)), " | ",
                number(double(whole.flops() + whole.router_flops()) / 1e6), " | ",
                number(double(whole.router_flops()) / 1e6), " |\n");
  }
  return out;
}

std::string behaviour() {
  std::string out =
      "| method | s | s M at the start | merges into the weights | any cut of a step is the same step "
      "|\n|---|---|---|---|---|\n";
  for (const entry& e : presets_and_options()) {
    CAPTURE(e.name);
    const double s = e.spec.method.scale();
    adapted_linear linear(e.spec, testing::random<float>(shape{4, 6}, 1));
    out += "| `" + e.name + "` | " + number(s) + " | " + multiplier(e.spec) + " | " + linear.mergeable() + " | " +
           any_cut(e.spec) + " |\n";
  }
  return out;
}

std::vector<std::string> lines_of(const std::string& all) {
  std::istringstream in(all);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

/// What must change in `document` for `code`.
std::string difference(const std::string& document, const std::string& code) {
  if (document == code) return "";
  const auto has = lines_of(document), wants = lines_of(code);
  std::string out;
  for (const auto& line : has)
    if (std::find(wants.begin(), wants.end(), line) == wants.end()) out += "\n- " + line;
  for (const auto& line : wants)
    if (std::find(has.begin(), has.end(), line) == has.end()) out += "\n+ " + line;
  return out.empty() ? "\nanother order of the rows" : out;
}

}  // namespace

TEST_CASE("docs/methods.md says what the code says, of every method") {
  const std::filesystem::path file = std::filesystem::path(MOR1E_SOURCE_DIR) / "docs" / "methods.md";
  std::string document = io::read_text(file);
  const bool writes = std::getenv("MOR1E_WRITE_DOCS") != nullptr;
  const std::pair<std::string, std::string> tables[] = {
      {"constants", constants()}, {"sizes", sizes()}, {"behaviour", behaviour()}};
  for (const auto& table : tables) {
    const std::string &name = table.first, &code = table.second;
    const std::string opening = "<!-- computed: " + name + " -->\n", ending = "<!-- end -->";
    const std::size_t mark = document.find(opening), first = mark + opening.size(), last = document.find(ending, first);
    REQUIRE_MESSAGE((mark != std::string::npos && last != std::string::npos), file.string(), " has no table ", name);
    const std::string wrong = difference(document.substr(first, last - first), code);
    if (writes)
      document.replace(first, last - first, code);
    else
      CHECK_MESSAGE(wrong.empty(), file.string(), ", table ", name, " (MOR1E_WRITE_DOCS=1 writes it anew):", wrong);
  }
  if (writes) io::write_text(file, document);
  // The tables that are written by hand have a row for each, too.
  for (const std::string& name : peft::method_names()) {
    const std::string row = "\n| `" + name + "` |";
    std::size_t rows = 0;
    for (std::size_t at = document.find(row); at != std::string::npos; at = document.find(row, at + 1)) ++rows;
    CHECK_MESSAGE(rows >= 5, file.string(), ": '", name, "' is in ", rows, " tables of 5");
  }
}
