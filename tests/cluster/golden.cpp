// Lloyd's iteration and similarities against what scikit-learn computed.
#include "mor1e/testing/golden.hpp"

#include <string>

#include <nlohmann/json.hpp>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/cluster/intuition.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"

using namespace mor1e;

namespace {

const std::filesystem::path folder = testing::golden_folder() / "kmeans";

template <class B, class F>
void each_case(B& device, const F& check) {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    CAPTURE(entry.path().string());
    check(device, io::safetensors_file(entry.path()), entry.path().stem().string());
    ++cases;
  }
  CHECK(cases > 0);
}

void check_lloyd(auto& device, const io::safetensors_file& file, const std::string& name) {
  const auto ours = cluster::lloyd<double>(device, file.read<double>("data"), file.read<double>("init"));
  const auto labels = file.read<std::int64_t>("labels");
  const auto centroids = file.read<double>("centroids");
  REQUIRE(ours.labels.size() == labels.size());
  CHECK(testing::violation(ours.labels.data(), labels.data(), labels.size(), {}) == "");
  REQUIRE(ours.centroids.extents() == centroids.extents());
  CHECK(testing::violation(ours.centroids.data(), centroids.data(), centroids.size(), {.atol = 1e-9}) == "");
  CHECK(testing::violation(&ours.inertia, file.read<double>("inertia").data(), 1, {.rtol = 1e-10}) == "");
  CHECK(ours.converged);
  CHECK(ours.iterations == io::read_json(folder / "kmeans.json").at(name).at("iterations").get<int>());
}

void check_similarity(auto& device, const io::safetensors_file& file, const std::string&) {
  const auto points = file.read<double>("points"), centroids = file.read<double>("centroids");
  for (const auto& [name, kind] :
       {std::pair("cosine", cluster::similarity::cosine), std::pair("dot", cluster::similarity::dot)}) {
    CAPTURE(name);
    const auto ours = cluster::intuition<double>(device, points, centroids, kind);
    const auto theirs = file.read<double>(name);
    REQUIRE(ours.extents() == theirs.extents());
    CHECK(testing::violation(ours.data(), theirs.data(), theirs.size(), {.atol = 1e-12}) == "");
  }
}

}  // namespace

TEST_CASE_TEMPLATE("Lloyd's iteration gives the centroids, labels and inertia of the fixtures", B, reference, cpu) {
  B device;
  each_case(device, [](auto& d, const auto& file, const auto& name) { check_lloyd(d, file, name); });
}

TEST_CASE_TEMPLATE("similarities are those of the fixtures", B, reference, cpu) {
  B device;
  each_case(device, [](auto& d, const auto& file, const auto& name) { check_similarity(d, file, name); });
}
