// A whole training step of a real model: tokens a second, memory, who takes the time, who allocates.
//
//     step --model toy                                # nothing downloaded
//     step --method mor1e --recompute yes --json out.json
//
// One configuration is one process, since the largest resident memory is a figure of a process.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "../examples/program.hpp"
#include "allocation_count.hpp"
#include "bounds.hpp"
#include "logged_products.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/train/telemetry.hpp"

using namespace mor1e;

namespace {

struct step_options {
  program::common_options common;
  std::string model = "smollm2", method = "both", recompute = "both";
  int rank = 32, experts = 32, sequences = 16, length = 100, steps = 3;
  bool statistics = false, cuda_graph = false, decoded = false;
};

struct configuration {
  bool mixture, recompute;
  std::string name(const step_options& o) const {
    return text(mixture ? text("mor1e N=", o.experts) : text("lora r=", o.rank), recompute ? ", recompute" : "");
  }
};

const char* name_of(phase what) {
  switch (what) {
    case phase::forward: return "forward";
    case phase::recompute: return "recompute";
    case phase::backward: return "backward";
    case phase::add_gradient: break;
  }
  return "backward";
}

/// Sequences of random tokens, the last of each a target.
std::vector<data::encoded_example> sequences(const step_options& o, int vocabulary) {
  std::vector<data::encoded_example> out;
  for (int i = 0; i < o.sequences; ++i) {
    data::encoded_example e{std::to_string(i), {}, o.length - 1, i};
    for (int j = 0; j < o.length; ++j)
      e.ids.push_back(
          std::int32_t(uniform<double>(stream_key(o.common.seed, std::uint64_t(i)), std::uint64_t(j)) * vocabulary));
    out.push_back(std::move(e));
  }
  return out;
}

nlohmann::json in_json(const testing::allocation_count& n) {
  return {{"containers", n.containers}, {"buffers", n.buffers}, {"foreign", n.foreign}};
}

template <class Base>
nlohmann::json measure(const Base& plain, const step_options& o, const configuration& c) {
  using B = bench::logged<Base>;
  require<value_error>(HasReplay<Base> || !o.cuda_graph, "--cuda-graph: is of --backend cuda");
  B device = bench::with_log(plain);
  using clock = std::chrono::steady_clock;
  const auto seconds_since = [](clock::time_point begin) {
    return std::chrono::duration<double>(clock::now() - begin).count();
  };
  const auto model = models::load<B, float>(device, o.model, {.stored = !o.decoded});
  const auto loaded = train::peak_memory();
  auto adapters = c.mixture ? peft::attach(*model, peft::mor1e{.experts = o.experts})
                            : peft::attach(*model, peft::lora{.rank = o.rank, .alpha = double(o.rank)});
  const index_t clusters = c.mixture ? o.experts : 0;
  const auto batches = data::pack(sequences(o, model->vocabulary()), {.tokens = index_t(o.sequences) * o.length});
  const tensor<float> intuition(shape{o.sequences, std::max<index_t>(clusters, 1)}, 0.5f);
  train::trainer<B, float> trainer(
      device, *model, adapters,
      {.adam = {.learning_rate = 1e-4},
       .program = {
           .recompute = c.recompute, .device_graph = o.cuda_graph, .statistics = o.statistics, .clusters = clusters}});
  // Plans, and touches all memory; a pass that the device keeps is recorded by the second step.
  for (int i = 0; i < (o.cuda_graph ? 3 : 1); ++i) trainer.step(batches, intuition.matrix(), 1);

  // The products of a step, done alone in turns with whole steps: what the rest costs, whatever the machine does.
  std::vector<std::function<void()>> products;
  if (!o.cuda_graph) {
    device.log = &products;
    trainer.step(batches, intuition.matrix(), 1);
    device.log = nullptr;
  }
  std::vector<double> rates, beside_products;
  rates.reserve(std::size_t(o.steps)), beside_products.reserve(std::size_t(o.steps));  // else their growth is counted
  testing::allocation_count allocated;
  index_t tokens = 0;
  for (int i = 0; i < o.steps; ++i) {
    const auto before = testing::allocations();
    const auto begin = clock::now();
    tokens = trainer.step(batches, intuition.matrix(), 1).tokens;
    const double whole = seconds_since(begin);
    rates.push_back(double(tokens) / whole);
    allocated = testing::allocations() - before;
    const auto begin_products = clock::now();
    for (const auto& product : products) product();
    device.finish();
    beside_products.push_back(whole / seconds_since(begin_products));
  }
  std::sort(rates.begin(), rates.end());
  std::sort(beside_products.begin(), beside_products.end());

  const auto peak = train::peak_memory();
  // Once more with a clock around every op, beside what the device can do.
  const bench::device_bounds bounds = bench::measure_bounds(device);
  std::vector<node_time> times;
  trainer.profile(&times);
  const auto begin = clock::now();
  trainer.step(batches, intuition.matrix(), 1);
  const double whole = seconds_since(begin);
  std::sort(times.begin(), times.end(), [](const node_time& a, const node_time& b) { return a.seconds > b.seconds; });
  nlohmann::json parts = nlohmann::json::array(), phases = nlohmann::json::object();
  double inside = 0;
  for (const node_time& n : times) {
    inside += n.seconds;
    parts.push_back({{"phase", name_of(n.what)},
                     {"op", n.op},
                     {"share", n.seconds / whole},
                     {"flops", n.flops},
                     {"bytes", n.bytes},
                     {"gflops", n.flops / n.seconds / 1e9},
                     {"gigabytes_per_second", n.bytes / n.seconds / 1e9},
                     {"of_bound", bounds.seconds(n.flops, n.bytes) / n.seconds},
                     {"calls", n.calls}});
    phases[name_of(n.what)] = phases.value(name_of(n.what), 0.0) + n.seconds / whole;
  }
  phases["clip, adam, packing"] = 1 - inside / whole;
  nlohmann::json out = {{"name", c.name(o)},
                        {"model", o.model},
                        {"parameters", adapters.parameter_count()},
                        {"tokens", tokens},
                        {"threads", device.arithmetic().threads},
                        {"tokens_per_second", rates[rates.size() / 2]},
                        {"slowest", rates.front()},
                        {"fastest", rates.back()},
                        {"peak_memory", peak},
                        {"peak_memory_loaded", loaded},
                        {"slab", trainer.programs().bytes()},
                        {"bounds", {{"gflops", bounds.flops / 1e9}, {"gigabytes_per_second", bounds.bytes / 1e9}}},
                        {"phases", phases},
                        {"ops", parts}};
  if (!products.empty())
    out["times_products"] = {{"median", beside_products[beside_products.size() / 2]},
                             {"least", beside_products.front()},
                             {"most", beside_products.back()},
                             {"products", products.size()}};
  out["allocations"] = MOR1E_COUNTS_ALLOCATIONS ? in_json(allocated) : nlohmann::json();
  return out;
}

void print(const nlohmann::json& r) {
  const auto gigabytes = [&](const char* key) { return r[key].get<double>() / 1e9; };
  fmt::print(
      "{}: {:.0f} tokens/s ({:.0f} to {:.0f}) with {} threads, {} tokens; peak memory {:.2f} GB, of which the slab "
      "{:.2f} GB; {} parameters\n",
      r["name"].get<std::string>(), r["tokens_per_second"].get<double>(), r["slowest"].get<double>(),
      r["fastest"].get<double>(), r["threads"].get<int>(), r["tokens"].get<long>(), gigabytes("peak_memory"),
      gigabytes("slab"), r["parameters"].get<long>());
  if (const auto& a = r["allocations"]; !a.is_null())
    fmt::print("  allocations a step: {} containers, {} buffers, {} foreign (Eigen's panels)\n",
               a["containers"].get<long>(), a["buffers"].get<long>(), a["foreign"].get<long>());
  if (r.contains("times_products"))
    fmt::print("  {:.2f} ({:.2f} to {:.2f}) times its own {} products done alone in turns\n",
               r["times_products"]["median"].get<double>(), r["times_products"]["least"].get<double>(),
               r["times_products"]["most"].get<double>(), r["times_products"]["products"].get<long>());
  fmt::print("  bound of an op: {:.0f} GFLOP/s (a product of a frozen weight), {:.1f} GB/s (y = x + y)\n",
             r["bounds"]["gflops"].get<double>(), r["bounds"]["gigabytes_per_second"].get<double>());
  for (const auto& [phase, share] : r["phases"].items())
    fmt::print("  {:5.1f} %  {}\n", 100 * share.get<double>(), phase);
  for (const auto& op : r["ops"])
    if (op["share"].get<double>() >= 0.005)
      fmt::print("  {:5.1f} %    {:<9} {:<22} {:6.1f} GFLOP/s {:6.1f} GB/s {:4.0f} % of the bound {:5} calls\n",
                 100 * op["share"].get<double>(), op["phase"].get<std::string>(), op["op"].get<std::string>(),
                 op["gflops"].get<double>(), op["gigabytes_per_second"].get<double>(),
                 100 * op["of_bound"].get<double>(), op["calls"].get<long>());
  std::fflush(stdout);
}

/// f() in a process of its own; its result comes back as text.
template <class F>
nlohmann::json in_a_child(F f) {
  int ends[2];
  require<error>(pipe(ends) == 0, "step: no pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  require<error>(child >= 0, "step: no process");
  if (child == 0) {
    close(ends[0]);
    const int code = program::guarded("step", [&] {
      const std::string written = f().dump();
      for (std::size_t at = 0; at < written.size();) {
        const auto n = write(ends[1], written.data() + at, written.size() - at);
        require<error>(n > 0, "the result cannot be handed over");
        at += std::size_t(n);
      }
    });
    _exit(code);
  }
  close(ends[1]);
  std::string read_back;
  char piece[4096];
  for (ssize_t n; (n = read(ends[0], piece, sizeof(piece))) > 0;) read_back.append(piece, std::size_t(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  require<error>(WIFEXITED(status), "the measurement was killed");
  if (WEXITSTATUS(status) != 0) std::exit(WEXITSTATUS(status));  // it has said why
  return nlohmann::json::parse(read_back);
}

}  // namespace

int main(int argc, char** argv) {
  step_options o;
  return program::run(
      argc, argv, "step", "Measures training steps of a model with adapters", o.common,
      [&](CLI::App& app) {
        const CLI::Range count(1, 1 << 20);
        app.add_option("--model", o.model, "folder, .gguf file, short name (smollm2) or toy")->capture_default_str();
        app.add_option("--method", o.method)->check(CLI::IsMember({"lora", "mor1e", "both"}))->capture_default_str();
        app.add_option("--recompute", o.recompute)->check(CLI::IsMember({"yes", "no", "both"}))->capture_default_str();
        app.add_option("--rank", o.rank, "of lora")->check(count)->capture_default_str();
        app.add_option("--experts", o.experts, "of mor1e")->check(count)->capture_default_str();
        app.add_option("--sequences", o.sequences)->check(count)->capture_default_str();
        app.add_option("--length", o.length, "tokens of a sequence")
            ->check(CLI::Range(2, 1 << 20))
            ->capture_default_str();
        app.add_option("--steps", o.steps, "the median counts")->check(count)->capture_default_str();
        app.add_flag("--statistics", o.statistics, "of the routers, in every step");
        app.add_flag("--decoded", o.decoded, "weights that the file has in fewer bits are decoded once, at the start");
        app.add_flag("--cuda-graph", o.cuda_graph, "of --backend cuda: a pass is one launch");
      },
      [&] {
        nlohmann::json results = nlohmann::json::array();
        for (const bool recompute : {false, true})
          for (const bool mixture : {false, true}) {
            if (o.method == (mixture ? "lora" : "mor1e") || o.recompute == (recompute ? "no" : "yes")) continue;
            results.push_back(in_a_child([&] {
              return with_device(o.common.device, [&](auto& device) {
                return measure(device, o, {mixture, recompute});
              });
            }));
            if (!o.common.quiet) print(results.back());
          }
        program::write_results(o.common, results);
      });
}
