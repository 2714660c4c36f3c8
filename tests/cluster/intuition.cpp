// Similarities, what is stored of them, and the controls.
#include "mor1e/cluster/intuition.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::cluster;

namespace {

std::string message(auto&& call) {
  try {
    call();
  } catch (const error& e) {
    return e.what();
  }
  return "nothing thrown";
}

bool contains(const std::string& in, const std::string& what) { return in.find(what) != std::string::npos; }

intuition_source example() {
  intuition_source source{"minilm",
                          {"hash of \"weights\"", "clustering: ", "hash of data"},
                          1ull << 63,
                          similarity::dot,
                          tensor<float>({2, 3})};
  for (index_t i = 0; i < 6; ++i) source.centroids[i] = 0.1f * float(i);
  return source;
}

double length(const tensor<float>& x, index_t row) {
  double square = 0;
  for (index_t j = 0; j < x.extents()[1]; ++j)
    square += double(x[row * x.extents()[1] + j]) * x[row * x.extents()[1] + j];
  return std::sqrt(square);
}

}  // namespace

TEST_CASE_TEMPLATE("zero vectors are similar to nothing, tiny ones to their direction", B, reference, cpu) {
  B device;
  tensor<float> x({3, 2}, 0.f), c({3, 2}, 0.f);
  x[2] = 3e-30f, x[3] = 4e-30f;  // row 1; its squares are no floats
  x[5] = -2;
  c[0] = 3, c[1] = 4;
  c[4] = 1e15f;
  const auto cosine = intuition<float>(device, x, c);
  const float expected[] = {0, 0, 0, 1, 0, 0.6f, -0.8f, 0, 0};
  for (int i = 0; i < 9; ++i) CHECK(cosine[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  const auto dot = intuition<float>(device, x, c, similarity::dot);
  CHECK(dot[6] == -8);
  x[0] = NAN;
  CHECK(std::isnan(intuition<float>(device, x, c)[0]));
  CHECK(message([&] {
          intuition<float>(device, x, tensor<float>({4, 5}, 0.f));
        }) == "intuition: widths differ: embeddings [3, 2], centroids [4, 5]");
}

TEST_CASE("an intuition source survives JSON and its file") {
  const auto source = example();
  const testing::temporary_folder folder;
  write_intuition(folder / "i.safetensors", source);
  for (const auto& back :
       {intuition_from_json(nlohmann::json::parse(to_json(source).dump()), source.centroids.clone(), "here"),
        read_intuition(folder / "i.safetensors")}) {
    CHECK(back.embedder == source.embedder);
    CHECK(back.origin == source.origin);
    CHECK(back.seed == source.seed);
    CHECK(back.kind == source.kind);
    REQUIRE(back.centroids.extents() == source.centroids.extents());
    CHECK(std::equal(back.centroids.begin(), back.centroids.end(), source.centroids.begin()));
  }
}

TEST_CASE("a damaged intuition is refused by field") {
  const auto source = example();
  const auto good = to_json(source);
  for (const auto& [name, value] : good.items()) {
    CAPTURE(name);
    auto lacking = good, wrong = good;
    lacking.erase(name);
    CHECK(message([&] { intuition_from_json(lacking, source.centroids.clone(), "f"); }) ==
          "f: field '" + name + "' is missing");
    wrong[name] = nullptr;
    CHECK(message([&] {
            intuition_from_json(wrong, source.centroids.clone(), "f");
          }).starts_with("f: field '" + name + "' is not a "));
  }
  auto other = source.centroids.clone();
  other[0] += 1;
  CHECK(message([&] { intuition_from_json(good, other.clone(), "f"); }).starts_with("f: field 'centroids_hash' is "));
  CHECK(message([&] {
          intuition_from_json(good, tensor<float>({3, 2}, 0.f), "f");
        }) == "f: field 'clusters' is 2, the centroids have 3");
  CHECK(message([&] {
          intuition_from_json(good, tensor<float>({2, 4}, 0.f), "f");
        }) == "f: field 'width' is 3, the centroids have 4");
  CHECK(contains(message([&] { intuition_from_json(good, tensor<float>({6}, 0.f), "f"); }), "not a matrix"));
  auto euclid = good;
  euclid["similarity"] = "euclid";
  CHECK(message([&] { intuition_from_json(euclid, source.centroids.clone(), "f"); }) ==
        "f: similarity 'euclid' is neither 'cosine' nor 'dot'");

  const testing::temporary_folder folder;
  const std::vector<io::stored_tensor> tensors{io::stored("centroids", source.centroids)};
  io::write_safetensors(folder / "bare", tensors);
  CHECK(contains(message([&] { read_intuition(folder / "bare"); }), "bare: no metadata 'intuition'"));
  io::write_safetensors(folder / "text", tensors, {{"intuition", "{"}});
  CHECK(contains(message([&] { read_intuition(folder / "text"); }), "text: metadata 'intuition': not valid JSON"));
}

TEST_CASE("a cache of embeddings is bound to embedder, prefix and data") {
  const testing::temporary_folder folder;
  const auto path = folder / "cache.safetensors";
  const embedding_origin origin{"e", "", "d"};
  const auto embeddings = example().centroids.clone();
  write_embeddings(path, origin, embeddings);
  const auto back = read_embeddings(path, origin);
  REQUIRE(back.extents() == embeddings.extents());
  CHECK(std::equal(back.begin(), back.end(), embeddings.begin()));

  CHECK(message([&] {
          read_embeddings(path, {"x", "", "d"});
        }) == path.string() + ": made with another embedder_hash: 'e', now 'x'");
  CHECK(message([&] {
          read_embeddings(path, {"e", "p", "d"});
        }) == path.string() + ": made with another prefix: '', now 'p'");
  CHECK(message([&] {
          read_embeddings(path, {"e", "", "x"});
        }) == path.string() + ": made with another data_hash: 'd', now 'x'");
  CHECK_THROWS_AS(read_embeddings(path, {"x", "", "d"}), value_error);
  CHECK_THROWS_AS(read_embeddings(folder / "none", origin), io_error);
  io::write_safetensors(path, std::vector{io::stored("embeddings", embeddings)}, {{"prefix", ""}});
  CHECK(message([&] { read_embeddings(path, origin); }) == path.string() + ": no metadata 'embedder_hash'");
}

TEST_CASE("category codes are sines and cosines of falling frequency") {
  const std::vector<index_t> categories{0, 1, 4, 1};
  const auto code = category_intuition(categories, 5);
  REQUIRE(code.extents() == shape({4, 5}));
  for (index_t j = 0; j < 5; ++j) {
    CHECK(code[j] == (j % 2 ? 1 : 0));
    CHECK(code[5 + j] == code[15 + j]);
  }
  CHECK(code[10] == doctest::Approx(std::sin(4.0)));
  CHECK(code[11] == doctest::Approx(std::cos(4.0)));
  CHECK(code[13] == doctest::Approx(std::cos(4 / std::pow(10000.0, 2.0 / 5))));
  CHECK(code[14] == doctest::Approx(std::sin(4 / std::pow(10000.0, 4.0 / 5))));
  CHECK_THROWS_AS(category_intuition(std::vector<index_t>{0, -1}, 4), value_error);
  CHECK_THROWS_AS(category_intuition(categories, 0), value_error);
}

TEST_CASE("random intuition belongs to the id and the seed, and has the length it is given") {
  const std::vector<std::string> ids{"a/1", "a/2", "", "b"}, reversed{"b", "", "a/2", "a/1"};
  tensor<float> like({4, 8}, 0.f);
  like[0] = 2, like[9] = -3, like[16] = 1, like[17] = 1;  // and row 3 is zero
  const auto random = random_intuition(ids, std::as_const(like), 5);
  const double lengths[] = {2, 3, std::sqrt(2.0), 0};
  for (index_t i = 0; i < 4; ++i) CHECK(length(random, i) == doctest::Approx(lengths[i]).epsilon(1e-6));

  const auto unit = random_intuition(ids, 8, 5), turned = random_intuition(reversed, 8, 5),
             other = random_intuition(ids, 8, 6);
  for (index_t i = 0; i < 4; ++i) {
    CHECK(length(unit, i) == doctest::Approx(1).epsilon(1e-6));
    CHECK(std::equal(unit.data() + 8 * i, unit.data() + 8 * (i + 1), turned.data() + 8 * (3 - i)));
    CHECK(unit[8 * i] != other[8 * i]);
    if (i < 3) CHECK(random[8 * i] == doctest::Approx(lengths[i] * unit[8 * i]).epsilon(1e-6));
  }
  CHECK(unit[0] != unit[8]);
  CHECK_THROWS_AS(random_intuition(ids, tensor<float>({3, 8}, 0.f), 5), shape_error);
}

TEST_CASE("random directions have no preferred one") {
  std::vector<std::string> ids;
  for (int i = 0; i < 4000; ++i) ids.push_back("example-" + std::to_string(i));
  const auto random = random_intuition(ids, 16, 7);
  for (index_t j = 0; j < 16; ++j) {
    double mean = 0, square = 0;
    for (index_t i = 0; i < 4000; ++i)
      mean += random[16 * i + j] / 4000, square += double(random[16 * i + j]) * random[16 * i + j] / 4000;
    CHECK(std::abs(mean) < 0.25 / std::sqrt(4000.0) * 5);  // each coordinate has standard deviation 1/4
    CHECK(square == doctest::Approx(1.0 / 16).epsilon(0.12));
  }
}
