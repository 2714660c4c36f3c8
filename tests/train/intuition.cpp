// The recipe of an intuition: stored, read back, applied, refused.
#include "mor1e/train/intuition.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/backend/reference.hpp"

using namespace mor1e;
using namespace mor1e::train;

namespace {

std::vector<data::example> examples() {
  std::vector<data::example> out(3);
  const char* words[] = {"Which of these swims?", "Who wrote it?", "Which of those sinks?"};
  for (int i = 0; i < 3; ++i) {
    out[i].id = text("e", i), out[i].task = i == 1 ? "who" : "which";
    out[i].question = words[i], out[i].choices = {"the duck", "the stone"}, out[i].answers = {0};
  }
  return out;
}

intuition_recipe recipe(intuition_kind kind) {
  models::trigram_embedder embedder;
  intuition_recipe out;
  out.kind = kind;
  out.source = {"toy",
                {embedder.hash(), "say: ", "d"},
                4,
                cluster::similarity::cosine,
                embedder.embed(std::vector<std::string>{"of these", "who"})};
  out.seed = 9;
  out.wording = {"release", data::answer_style::text};
  return out;
}

bool same(const tensor<float>& a, const tensor<float>& b) {
  return a.extents() == b.extents() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace

TEST_CASE("rows: the cosine of prefix and prompt, in the wording of the recipe, to each centroid") {
  reference device;
  models::trigram_embedder embedder;
  const auto r = recipe(intuition_kind::clusters);
  const auto rows = intuition_rows(device, r, &embedder, examples());
  REQUIRE(rows.extents() == shape{3, 2});
  CHECK(r.columns() == 2);
  const auto embedded = embedder.embed(std::vector<std::string>{"say: Which of these swims?\nAnswer:\n"});
  double dot = 0;
  for (index_t j = 0; j < 64; ++j) dot += double(embedded[j]) * double(r.source.centroids[j]);
  CHECK(rows[0] == doctest::Approx(dot));
  CHECK(rows[0] > rows[2]);
  CHECK_THROWS_WITH_AS(intuition_rows(device, r, nullptr, examples()), doctest::Contains("'toy'"), value_error);
}

TEST_CASE("a recipe read back makes the same rows, whatever its kind") {
  reference device;
  models::trigram_embedder embedder;
  for (const auto kind : {intuition_kind::clusters, intuition_kind::random, intuition_kind::category}) {
    CAPTURE(name_of(kind));
    auto r = recipe(kind);
    if (kind == intuition_kind::category) {
      r.categories = {"who", "which"}, r.width = 4;
      r.source = {};
    }
    const auto rows = intuition_rows(device, r, &embedder, examples());
    const auto stored = nlohmann::json::parse(to_json(r).dump());
    const auto again = recipe_from_json(
        stored, kind == intuition_kind::category ? tensor<float>() : r.source.centroids.clone(), "here");
    CHECK(again.columns() == r.columns());
    CHECK(same(intuition_rows(device, again, &embedder, examples()), rows));
  }
  // What cluster writes is a recipe too.
  const auto r = recipe(intuition_kind::clusters);
  CHECK(recipe_from_json(cluster::to_json(r.source), r.source.centroids.clone(), "here").kind ==
        intuition_kind::clusters);
}

TEST_CASE("random rows are as long as the intuition they replace, and others") {
  reference device;
  models::trigram_embedder embedder;
  const auto clustered = intuition_rows(device, recipe(intuition_kind::clusters), &embedder, examples());
  const auto random = intuition_rows(device, recipe(intuition_kind::random), &embedder, examples());
  CHECK_FALSE(same(clustered, random));
  for (index_t i = 0; i < 3; ++i)
    CHECK(std::hypot(clustered[2 * i], clustered[2 * i + 1]) ==
          doctest::Approx(std::hypot(random[2 * i], random[2 * i + 1])));
}

TEST_CASE("what does not fit is refused by name") {
  models::trigram_embedder embedder;
  auto r = recipe(intuition_kind::clusters);
  check_embedder(r.source, embedder, "adapter");
  r.source.origin.embedder_hash = "another";
  CHECK_THROWS_WITH_AS(check_embedder(r.source, embedder, "adapter"),
                       doctest::Contains("hash another; 'toy' has hash trigrams-1"), value_error);
  r = recipe(intuition_kind::category);
  r.categories = {"which"}, r.width = 2;
  CHECK_THROWS_WITH_AS(category_rows(r, examples()), doctest::Contains("e1 is of task 'who'"), value_error);

  const auto refuse = [](const nlohmann::json& object, const char* why) {
    CHECK_THROWS_WITH_AS(recipe_from_json(object, recipe(intuition_kind::clusters).source.centroids.clone(), "file"),
                         doctest::Contains(why), io_error);
  };
  refuse(nullptr, "file: the intuition is not an object");
  refuse({{"kind", "guess"}}, "'kind' of the intuition is 'guess'");
  refuse({{"kind", "random"}}, "'random_seed' of the intuition is missing");
  refuse({{"kind", "category"}, {"categories", {1}}, {"columns", 3}}, "holds 1");
  refuse({{"kind", "category"}, {"categories", {"a"}}, {"columns", 0}}, "'columns' of the intuition is 0");
  auto stored = to_json(recipe(intuition_kind::clusters));
  stored["answer"] = "aloud";
  refuse(stored, "'answer' of the intuition is 'aloud'");
  stored.erase("embedder");
  refuse(stored, "'embedder'");
}

TEST_CASE("permuted rows: the same rows in another order, which the seed decides") {
  tensor<float> rows(shape{50, 2});
  for (index_t i = 0; i < 100; ++i) rows[i] = float(i);
  const auto mixed = permuted_rows(rows, 1), again = permuted_rows(rows, 1), other = permuted_rows(rows, 2);
  CHECK(same(mixed, again));
  CHECK_FALSE(same(mixed, other));
  CHECK_FALSE(same(mixed, rows));
  std::vector<bool> met(50, false);
  for (index_t i = 0; i < 50; ++i) {
    const auto from = std::size_t(mixed[2 * i] / 2);
    CHECK(mixed[2 * i + 1] == mixed[2 * i] + 1);  // rows stay whole
    CHECK_FALSE(met[from]);
    met[from] = true;
  }
}
