// How a sentence-transformers folder turns token states into a vector: computed as it says, or refused.
#include "mor1e/models/sentence_modules.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "models/fixture.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::models;
namespace fs = std::filesystem;

namespace {

/// A copy of the fixture, to be changed.
class encoder_folder {
 public:
  encoder_folder() {
    fs::copy(testing::golden_folder() / "encoders" / "minilm_like", path(), fs::copy_options::recursive);
  }
  fs::path path() const { return folder_ / "m"; }
  /// Sets a key of a JSON file in it.
  void set(const fs::path& file, const std::string& key, const nlohmann::json& value) const {
    nlohmann::json content = fs::exists(path() / file) ? io::read_json(path() / file) : nlohmann::json::object();
    content[key] = value;
    io::write_json(path() / file, content);
  }
  void set_pooling(const std::string& key, const nlohmann::json& value) const {
    set("1_Pooling/config.json", key, value);
  }
  void set_modules(const std::vector<std::string>& types) const {
    nlohmann::json list = nlohmann::json::array();
    for (const std::string& type : types)
      list.push_back({{"path", type == "Pooling" ? "1_Pooling" : ""}, {"type", "a.models." + type}});
    io::write_json(path() / "modules.json", list);
  }
  sentence_modules read() const { return read_sentence_modules(path()); }
  std::string refusal() const {
    try {
      read();
    } catch (const error& e) {
      return std::string(e.what()).substr(path().string().size() + 1);
    }
    return "";
  }

 private:
  testing::temporary_folder folder_;
};

/// The embedding of the fixture's batch, and what it is made of.
encoder_outputs<float> outputs(const encoder_folder& folder) {
  cpu device(1);
  const io::safetensors_file golden(folder.path() / "golden.safetensors");
  return outputs_of(device, *load_encoder<cpu, float>(device, folder.path().string()), read_padded_batch(golden));
}

double largest_difference(const tensor<float>& a, view<const float> b, index_t stride, bool normalise) {
  double worst = 0;
  const index_t n = a.extents().cols();
  for (index_t i = 0; i < a.extents().rows(); ++i) {
    const float* row = b.data + i * stride;
    double squares = 0;
    for (index_t j = 0; j < n; ++j) squares += double(row[j]) * double(row[j]);
    const double length = normalise ? std::sqrt(squares) : 1;
    for (index_t j = 0; j < n; ++j) worst = std::max(worst, std::abs(double(a[i * n + j]) - double(row[j]) / length));
  }
  return worst;
}

}  // namespace

TEST_CASE("mean or first token, with or without unit length, as the folder says") {
  const encoder_folder folder;
  const auto plain = outputs(folder);
  const index_t width = plain.mean.extents().cols(), sequence = plain.last_hidden_state.extents()[1] * width;
  CHECK(folder.read().label() == "");
  CHECK(largest_difference(plain.embedding, plain.mean.matrix(), width, true) < 1e-6);

  folder.set_modules({"Transformer", "Pooling"});
  CHECK(folder.read().label() == "mean, not normalised");
  CHECK(largest_difference(outputs(folder).embedding, plain.mean.matrix(), width, false) == 0);

  folder.set_pooling("pooling_mode_cls_token", true);
  folder.set_pooling("pooling_mode_mean_tokens", false);
  CHECK(folder.read().label() == "cls, not normalised");
  const auto first = plain.last_hidden_state.matrix();
  CHECK(largest_difference(outputs(folder).embedding, first, sequence, false) == 0);

  folder.set_modules({"Transformer", "Pooling", "Normalize"});
  CHECK(folder.read().label() == "cls");
  const auto cls = outputs(folder).embedding;
  CHECK(largest_difference(cls, first, sequence, true) < 1e-6);
  CHECK(largest_difference(cls, plain.mean.matrix(), width, true) > 1e-2);

  fs::remove(folder.path() / "modules.json");  // a plain BERT
  CHECK(folder.read().label() == "");
}

TEST_CASE("a newer file names its pooling in a word") {
  const encoder_folder folder;
  io::write_json(folder.path() / "1_Pooling" / "config.json", {{"embedding_dimension", 36}, {"pooling_mode", "cls"}});
  CHECK(folder.read().pooling == sentence_pooling::cls);
  folder.set_pooling("pooling_mode", "max");
  CHECK(folder.refusal() == "1_Pooling/config.json: 'pooling_mode' 'max' is not supported (mean and cls are)");
}

TEST_CASE("modules and poolings that we do not compute are refused by name") {
  const encoder_folder folder;
  folder.set_pooling("pooling_mode_max_tokens", true);
  CHECK(folder.refusal() == "1_Pooling/config.json: 'pooling_mode_max_tokens' is true, which is not supported");
  folder.set_pooling("pooling_mode_max_tokens", false);
  io::write_json(folder.path() / "1_Pooling" / "config.json", {{"pooling_mode_cls_token", true}});  // means by default
  CHECK(folder.refusal() == "1_Pooling/config.json: means beside [CLS] are not supported");
  folder.set_pooling("pooling_mode_mean_tokens", true);
  CHECK(folder.refusal() == "1_Pooling/config.json: means beside [CLS] are not supported");
  folder.set_pooling("pooling_mode_cls_token", 1);
  CHECK(folder.refusal() == "1_Pooling/config.json: 'pooling_mode_cls_token' is 1, neither true nor false");
  folder.set_pooling("pooling_mode_cls_token", false);
  folder.set_pooling("pooling_mode_mean_tokens", false);
  CHECK(folder.refusal() == "1_Pooling/config.json: no pooling is chosen");
  folder.set_pooling("pooling_mode_mean_tokens", true);
  folder.set_pooling("include_prompt", false);
  CHECK(folder.refusal() == "1_Pooling/config.json: 'include_prompt' is false, which is not supported");
  folder.set_pooling("include_prompt", true);
  folder.set_pooling("pooling_of_tomorrow", true);
  CHECK(folder.refusal().find("\"pooling_of_tomorrow\": true is not known") != std::string::npos);
  folder.set_pooling("pooling_of_tomorrow", false);

  folder.set_modules({"Transformer", "Pooling", "Dense"});
  CHECK(folder.refusal() ==
        "modules.json: module 2: 'a.models.Dense' is not supported here (Transformer, Pooling, Normalize are, in this "
        "order)");
  folder.set_modules({"Transformer", "Normalize"});
  CHECK(folder.refusal().find("'a.models.Normalize' is not supported here") != std::string::npos);
  folder.set_modules({"Transformer"});
  CHECK(folder.refusal() == "modules.json: has no pooling");
  io::write_text(folder.path() / "modules.json", "{}");
  CHECK(folder.refusal() == "modules.json: is not a list of modules");
}

TEST_CASE("what stands before the transformer: length, lower case, a default prompt") {
  const encoder_folder folder;
  CHECK(folder.read().max_length == 32);
  folder.set("sentence_bert_config.json", "do_lower_case", true);
  CHECK(folder.read().lower_case);
  folder.set("sentence_bert_config.json", "max_seq_length", 1.5);
  CHECK(folder.refusal() == "sentence_bert_config.json: 'max_seq_length' is 1.5, not an integer from 1 to 16777216");
  folder.set("sentence_bert_config.json", "max_seq_length", nullptr);
  CHECK(folder.read().max_length == 0);
  folder.set("tokenizer_config.json", "model_max_length", 24);
  CHECK(folder.read().max_length == 24);
  folder.set("tokenizer_config.json", "model_max_length", 1e30);
  CHECK(folder.read().max_length == 0);
  folder.set("config_sentence_transformers.json", "default_prompt_name", "query");
  CHECK(folder.refusal().find("the default prompt 'query' is not put before texts") != std::string::npos);
}
