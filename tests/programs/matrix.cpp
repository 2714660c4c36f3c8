// Every method, and every option of one, through every program: trained, killed, resumed, scored, continued, merged.
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/text_file.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "programs/process.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;
const std::string job =
    "--model toy --data suite --steps 8 --batch 8 --lr 0.01 --warmup 1 --eval-limit 2 --threads 1 --quiet ";

/// What `merge` says to an adapter.
enum class merging {
  exact,     ///< nothing: it is what the adapter computes
  for_text,  ///< that its experts are weighed for each text; --intuition-of folds it for one
  inside,    ///< that, and for a text that nothing is left without the router
  tasks,     ///< that, and that a text of no task has no intuition; so says `generate`
  refused    ///< that its router weighs the experts anew for every token
};

struct variant {
  std::string method, options;
  merging merge;
};

/// All names, and the options that change what a method is.
std::vector<variant> variants() {
  std::vector<variant> out;
  for (const std::string& name : peft::method_names()) {
    const peft::adapter_spec spec = peft::preset(name);
    const std::string family = spec.method.label();
    out.push_back({name, "",
                   family == "lora" || family == "dora" ? merging::exact
                   : spec.method.needs().clusters > 0   ? merging::for_text
                                                        : merging::refused});
  }
  for (const char* options : {"--no-router", "--low-rank-router --recompute", "--clusters 5", "--experts 6 --top-k 2",
                              "--experts 4 --targets q_proj,v_proj --micro-batch 200"})
    out.push_back({"mor1e", options, merging::for_text});
  for (const char* options : {"--intuition-before", "--low-rank-router --intuition-before --clusters 5"})
    out.push_back({"mor1e", options, merging::inside});
  for (const char* options : {"--intuition random", "--intuition category --clusters 5"})
    out.push_back({"mor1e", options, merging::tasks});
  out.push_back({"mor1e", "--no-intuition", merging::refused});
  for (const char* options : {"--factorised --top-k 3", "--clusters 5", "--r1 2 --r2 3 --no-router"})
    out.push_back({"mix", options, merging::for_text});
  out.push_back({"mix", "--no-intuition --factorised", merging::refused});
  for (const char* method : {"lora", "rslora", "dora"})
    out.push_back({method, "--rank 4 --dropout 0.2 --targets q_proj,down_proj --micro-batch 200", merging::exact});
  out.push_back({"loramoe", "--dropout 0.3 --micro-batch 200 --recompute", merging::refused});
  out.push_back({"sira", "--micro-batch 200 --recompute", merging::refused});
  out.push_back({"molora", "--experts 3 --rank 2 --targets q_proj,v_proj", merging::refused});
  return out;
}

/// Starts a run and kills it between two of its checkpoints.
void start_and_kill(const std::string& arguments, const std::string& run) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    fs::remove_all(here / run);
    testing::process going(here, "finetune", arguments + "--checkpoint-every 1 --out " + run);
    going.wait_for([&] { return fs::exists(here / run / "checkpoint"); });
    if (going.kill()) break;
  }
  const int step = io::read_json(here / run / "checkpoint" / "state.json").at("step");
  CHECK(step >= 1);
  CHECK(step < 8);
}

nlohmann::json json_of(const std::string& program, const std::string& arguments) {
  here.check_success(program, arguments + " --threads 1 --quiet --json out.json");
  return io::read_json(here / "out.json");
}

/// That what is merged is the adapted model is in merge.cpp.
void check_merge(merging how, const std::string& adapter) {
  const std::string merge = "--model toy --adapter " + adapter + " --out merged";
  const std::string for_text = merge + (how == merging::exact ? "" : " --intuition-of hello");
  if (how == merging::refused)
    here.check_refusal("merge", merge, 2, "the router weighs the experts anew for every token");
  else if (how != merging::exact)
    here.check_refusal("merge", merge, 2, "weighs its experts for each text; --intuition-of TEXT folds it for one");
  if (how == merging::exact || how == merging::for_text) CHECK(json_of("merge", for_text).at("linears") > 0);
  if (how == merging::inside) here.check_refusal("merge", for_text, 2, "the intuition is inside the router's softmax");
  if (how == merging::tasks) here.check_refusal("merge", for_text, 2, "a text alone has none");
  fs::remove_all(here / "merged");
}

}  // namespace

TEST_CASE("every method and option: trained, killed, resumed, scored, continued, merged or refused") {
  std::size_t number = 0;
  for (const variant& v : variants()) {
    const std::string options = job + "--method " + v.method + " " + v.options + " ", run = text("run", ++number),
                      whole = run + "-whole";
    CAPTURE(options);
    here.check_success("finetune", options + "--out " + whole);
    start_and_kill(options, run);
    here.check_success("finetune", options + "--resume " + run);
    for (const char* file :
         {"adapter/adapter_model.safetensors", "adapter/adapter_config.json", "checkpoint/state.safetensors"}) {
      CAPTURE(file);
      CHECK((io::read_text(here / run / file) == io::read_text(here / whole / file)));
    }
    const nlohmann::json result = io::read_json(here / run / "result.json");
    CHECK(result.at("last_loss").get<double>() < result.at("first_loss").get<double>());

    // The same numbers from the folder as at the end of the training, and not those of the base.
    const std::string adapter = run + "/adapter";
    const nlohmann::json scores =
        json_of("evaluate", "--model toy --limit 2 --data " + run + "/data --adapter " + adapter)
            .at("report")
            .at("all");
    const auto &before = result.at("evaluation").at("before").at("all"),
               &after = result.at("evaluation").at("after").at("all");
    const auto likelihood = [](const nlohmann::json& of) { return of.at("answer_log_probability").get<double>(); };
    CHECK(scores.at("accuracy") == after.at("accuracy"));
    // Texts embedded in another order are rounded otherwise.
    CHECK(likelihood(scores) == doctest::Approx(likelihood(after)).epsilon(1e-6));
    CHECK(likelihood(scores) != doctest::Approx(likelihood(before)).epsilon(1e-4));
    const std::string prompt = "--model toy --tokens 3 --prompt hello --adapter " + adapter;
    if (v.merge == merging::tasks)
      here.check_refusal("generate", prompt, 2, "a text alone has none");
    else
      CHECK(json_of("generate", prompt).at("tokens").size() == 3);
    check_merge(v.merge, adapter);
    fs::remove_all(here / run), fs::remove_all(here / whole);
  }
}
