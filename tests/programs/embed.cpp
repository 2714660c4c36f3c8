// Embeddings that come as a file: the prompts of data written for another embedder, its vectors as the intuition.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/data/data_folder.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/train/intuition.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;
const std::string unscored = "--model toy --steps 4 --batch 10 --lr 0.03 --warmup 0 --experts 4 --threads 1 --quiet ";
const std::string run = unscored + "--eval-limit 2 ";

nlohmann::json read(const std::string& name) { return io::read_json(here / name); }

/// A folder `d` of generated data.
void make_data() {
  if (fs::exists(here / "d")) return;
  here.check_success("finetune", run + "--data suite --out first");
  fs::copy(here / "first" / "data", here / "d", fs::copy_options::recursive);
}

void write_pair(const std::string& name, const std::vector<std::string>& texts, index_t width, std::uint64_t seed,
                const std::map<std::string, std::string>& metadata = {}) {
  fs::create_directories((here / name).parent_path());
  tensor<float> rows(shape{index_t(texts.size()), width});
  for (index_t i = 0; i < index_t(texts.size()); ++i)  // a vector of the text, whatever the file
    for (index_t j = 0; j < width; ++j)
      rows[i * width + j] =
          float(std::sin(double(std::hash<std::string>()(texts[std::size_t(i)]) % 1000 + seed) * double(j + 1)));
  io::write_json(here / (name + ".json"), texts);
  io::write_safetensors(here / (name + ".safetensors"), std::vector{io::stored("embeddings", rows)}, metadata);
}

std::vector<std::string> prompts(data::splits wanted, const texts::prompt_options& wording = {},
                                 const std::string& tasks = "") {
  std::vector<std::string> out;
  for (const data::task_data& task : data::read_data_folder(here / "d", tasks, wanted))
    for (const auto* rows : {&task.train, &task.eval})
      for (std::string& prompt : train::prompts_of(*rows, wording))
        if (std::find(out.begin(), out.end(), prompt) == out.end()) out.push_back(std::move(prompt));
  return out;
}

std::string weights_of(const std::string& out) {
  return io::read_text(here / out / "adapter" / "adapter_model.safetensors");
}
std::string scores(const std::string& options) {
  here.check_success("evaluate", "--model toy --data d --limit 5 --quiet --log items.jsonl " + options);
  return io::read_text(here / "items.jsonl");
}

}  // namespace

TEST_CASE("the prompts of a data folder: each once, worded as they are embedded, and nothing computed") {
  make_data();
  CHECK(here.check_success("embed", "--prompts-of d --texts-out p.json").ends_with(" sentences in p.json\n"));
  CHECK(read("p.json") == prompts(data::splits::both));
  here.check_success("embed", "--prompts-of d --tasks house,coref --template release --answer text --texts-out p.json");
  CHECK(read("p.json") == prompts(data::splits::both, {"release", data::answer_style::text}, "house,coref"));
  CHECK(read("p.json") != prompts(data::splits::both, {}, "house,coref"));
  fs::copy(here / "d", here / "train-only", fs::copy_options::recursive);
  for (const auto& task : fs::directory_iterator(here / "train-only")) fs::remove(task.path() / "eval.jsonl");
  here.check_success("embed", "--prompts-of train-only --texts-out p.json");
  CHECK(read("p.json") == prompts(data::splits::train));

  const auto refused = [](const std::string& options, int code, const std::string& why) {
    here.check_refusal("embed", options, code, why);
  };
  io::write_json(here / "s.json", {"a"});
  refused("--input s.json --prompts-of d --texts-out q.json", 2, "one of --input and --prompts-of is required");
  refused("--prompts-of d", 2, "--prompts-of and --texts-out go together");
  refused("--prompts-of d --texts-out q.json --model toy", 2, "--model and --out go together");
  refused("--input s.json", 2, "--out is required");
  refused("--input s.json --model toy --out q.safetensors --tasks house", 2, "are of --prompts-of");
  refused("--prompts-of d --texts-out q.json --answer loud", 2, "--answer loud");
  refused("--prompts-of d --texts-out q.json --template loud", 2, "'loud'");
  refused("--prompts-of d --texts-out q.json --tasks chess", 2, "'chess'");
  refused("--prompts-of nowhere --texts-out q.json", 1, "nowhere");
}

TEST_CASE("trained on the file of an embedder's vectors: bit for bit what the embedder itself gives") {
  make_data();
  for (const std::string prefix : {"", " --prefix 'topic: '"}) {
    CAPTURE(prefix);
    here.check_success("embed", "--prompts-of d --texts-out E.json --model toy --out E.safetensors" + prefix);
    here.check_success("finetune", run + "--data d --intuition toy --out by-toy" + prefix);
    here.check_success("finetune", run + "--data d --intuition E.safetensors --out by-file" + prefix);
    CHECK((weights_of("by-toy") == weights_of("by-file")));
    CHECK(read("by-toy/result.json")["evaluation"] == read("by-file/result.json")["evaluation"]);
    const auto expected = scores("--adapter by-toy/adapter");
    CHECK(expected.find("log_probability") != std::string::npos);
    CHECK((scores("--adapter by-file/adapter") == expected));
    CHECK((scores("--adapter by-file/adapter --embedder toy") == expected));
    CHECK((scores("--adapter by-toy/adapter --embedder E.safetensors") == expected));
    for (const char* out : {"by-toy", "by-file"}) fs::remove_all(here / out);
  }
}

TEST_CASE("vectors of an embedder we do not have: one file to train, another to evaluate") {
  make_data();
  const auto all = prompts(data::splits::both);
  write_pair("ada", all, 7, 1, {{"embedder", "ada"}});
  here.check_success("finetune", run + "--data d --intuition ada.safetensors --out ada-run");
  const auto expected = scores("--adapter ada-run/adapter");
  write_pair("elsewhere/eval", prompts(data::splits::eval), 7, 1, {{"embedder", "ada"}});
  CHECK((scores("--adapter ada-run/adapter --embedder elsewhere/eval.safetensors") == expected));

  const auto refused = [](const std::string& options, const std::string& why) {
    here.check_refusal("evaluate", "--model toy --data d --adapter ada-run/adapter " + options, 2, why);
  };
  write_pair("elsewhere/other", prompts(data::splits::eval), 7, 2, {{"embedder", "babbage"}});
  refused("--embedder elsewhere/other.safetensors", "has hash babbage [7]");
  write_pair("elsewhere/wide", prompts(data::splits::eval), 8, 1, {{"embedder", "ada"}});
  refused("--embedder elsewhere/wide.safetensors", "of hash ada [7]");
  refused("--embedder toy", "of hash ada [7]");
  write_pair("elsewhere/train", prompts(data::splits::train), 7, 1, {{"embedder", "ada"}});
  refused("--embedder elsewhere/train.safetensors", " texts have no embedding there, the first is \"");
  here.check_refusal("generate", "--model toy --adapter ada-run/adapter --prompt hello", 2,
                     "1 of 1 texts have no embedding there, the first is \"hello\"");
  fs::rename(here / "ada.safetensors", here / "moved.safetensors");
  here.check_refusal("evaluate", "--model toy --data d --adapter ada-run/adapter", 1, "ada.safetensors");
  // Without metadata the name of the file is that of the embedder.
  write_pair("one/bare", all, 5, 1);
  write_pair("two/bare", all, 5, 1);
  write_pair("two/nude", all, 5, 1);
  here.check_success("finetune", run + "--data d --intuition one/bare.safetensors --out bare-run");
  CHECK((scores("--adapter bare-run/adapter --embedder two/bare.safetensors") == scores("--adapter bare-run/adapter")));
  here.check_refusal("evaluate", "--model toy --data d --adapter bare-run/adapter --embedder two/nude.safetensors", 2,
                     "of hash bare [5]");
}

TEST_CASE("a text without a vector, trained on or scored, is found before anything is written") {
  make_data();
  auto some = prompts(data::splits::both);
  const std::string gone = some.front();
  some.erase(some.begin());
  write_pair("some", some, 7, 1);
  here.check_refusal("finetune", run + "--data d --intuition some.safetensors --out none", 2,
                     "some.safetensors: 1 of ");
  here.check_refusal("finetune", run + "--data d --intuition some.safetensors --prefix 'topic: ' --out none", 2,
                     "texts have no embedding there, the first is \"topic: ");
  write_pair("trained", prompts(data::splits::train), 7, 1);
  here.check_refusal("finetune", run + "--data d --intuition trained.safetensors --out none", 2,
                     " of 10 texts have no embedding there");
  here.check_success("finetune", unscored + "--data d --intuition trained.safetensors --eval-limit 0 --out unscored");
}
