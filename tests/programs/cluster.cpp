// The program cluster, as a shell sees it.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <sys/wait.h>
#include <vector>

#include <nlohmann/json.hpp>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;

namespace {

const testing::temporary_folder folder;

struct outcome {
  int code = -1;
  std::string out, err;
};

outcome cluster_program(const std::string& arguments) {
  // The captured streams stand in a folder of their own: `folder` shows what the program leaves.
  static const testing::temporary_folder streams;
  const auto out = (streams / "out").string(), err = (streams / "err").string();
  const std::string command =
      "cd '" + folder.path().string() + "' && " MOR1E_PROGRAMS_DIR "/cluster " + arguments + " >" + out + " 2>" + err;
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, io::read_text(out), io::read_text(err)};
}

std::set<std::string> files() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    names.insert(entry.path().filename().string());
  return names;
}

template <class T>
tensor<T> random_points(index_t n, index_t d, std::uint64_t seed) {
  rng random(seed);
  tensor<T> points({n, d});
  for (T& value : points) value = T(random.normal());
  return points;
}

void write(const char* name, const std::vector<io::stored_tensor>& tensors) {
  io::write_safetensors(folder / name, tensors);
}

/// Fails with this code, one line that begins with the program's name and holds `why`, and leaves no new file.
void check_refusal(const std::string& arguments, int code, const std::string& why) {
  CAPTURE(arguments);
  const auto before = files();
  const auto got = cluster_program(arguments);
  CAPTURE(got.err);
  CHECK(got.code == code);
  CHECK(got.out == "");
  CHECK(got.err.starts_with("cluster: "));
  CHECK(got.err.find('\n') == got.err.size() - 1);
  CHECK(got.err.find(why) != std::string::npos);
  CHECK(files() == before);
}

}  // namespace

TEST_CASE("centroids, labels and facts are those of the library") {
  const auto points = random_points<float>(500, 6, 1);
  write("e.safetensors", {io::stored("embeddings", points), io::stored("other", points)});
  const auto got = cluster_program(
      "--input e.safetensors --k 5 --out c.safetensors --seed 9 --restarts 3 --threads 2 --json r.json --log l.jsonl");
  REQUIRE_MESSAGE(got.code == 0, got.err);
  CHECK(got.err == "");
  CHECK(got.out.starts_with("500 points of width 6 in 5 clusters: inertia "));
  CHECK(got.out.find('\n') == got.out.size() - 1);

  cpu device(1);
  const auto expected = cluster::kmeans<float>(device, points, {.clusters = 5, .seed = 9, .restarts = 3});
  const io::safetensors_file file(folder / "c.safetensors");
  CHECK(file.entries().size() == 2);
  CHECK(file.at("centroids").type == dtype::f32);
  CHECK(file.at("centroids").extents == shape({5, 6}));
  CHECK(file.at("labels").type == dtype::i64);
  CHECK(file.at("labels").extents == shape({500}));
  const auto centroids = file.read<float>("centroids");
  const auto labels = file.read<std::int64_t>("labels");
  CHECK(std::equal(centroids.begin(), centroids.end(), expected.centroids.begin()));
  CHECK(std::equal(labels.begin(), labels.end(), expected.labels.begin()));
  CHECK(std::stod(file.metadata().at("inertia")) == expected.inertia);
  CHECK(file.metadata().at("iterations") == std::to_string(expected.iterations));
  CHECK(file.metadata().at("seed") == "9");

  const auto results = io::read_json(folder / "r.json");
  CHECK(results.at("inertia") == expected.inertia);
  CHECK(results.at("restarts").size() == 3);
  int points_counted = 0;
  for (const int size : results.at("sizes")) points_counted += size;
  CHECK(points_counted == 500);
  const std::string log = io::read_text(folder / "l.jsonl");
  CHECK(std::count(log.begin(), log.end(), '\n') == 3);
}

TEST_CASE("the same call writes the same bytes, quietly, whatever the threads") {
  write("e.safetensors", {io::stored("embeddings", random_points<float>(900, 17, 2))});
  const auto a = cluster_program("--input e.safetensors --k 7 --out a.safetensors --threads 1 --quiet");
  const auto b = cluster_program("--input e.safetensors --k 7 --out b.safetensors --threads 3 --quiet --backend cpu");
  CHECK(a.code + b.code == 0);
  CHECK(a.out + b.out + a.err + b.err == "");
  CHECK(io::read_text(folder / "a.safetensors") == io::read_text(folder / "b.safetensors"));
}

TEST_CASE("the only matrix of floats will do, of any float type; labels and vectors are none") {
  const auto points = random_points<double>(40, 3, 3);
  const tensor<std::int64_t> ids({40, 3}, 1);
  const tensor<float> norms({40}, 1);
  write("with space.safetensors", {io::stored("x", points), io::stored("ids", ids), io::stored("norms", norms)});
  CHECK(cluster_program("--input 'with space.safetensors' --k 2 --out 'out put.safetensors' --quiet").code == 0);
  CHECK(io::safetensors_file(folder / "out put.safetensors").at("centroids").type == dtype::f32);
}

TEST_CASE("bad use exits with 2 and one line") {
  write("e.safetensors", {io::stored("embeddings", random_points<float>(10, 4, 4))});
  const std::string good = "--input e.safetensors --k 3 --out none.safetensors ";
  check_refusal("", 2, "--input is required");
  check_refusal("--input e.safetensors --k 3", 2, "--out is required");
  check_refusal(good + "--clusters 4", 2, "--clusters");
  check_refusal(good + "--backend cuda", 2, "this build has no CUDA back end");
  check_refusal(good + "--backend tpu", 2, "'tpu' is neither cpu nor cuda");
  check_refusal(good + "--threads -1", 2, "--threads");
  check_refusal(good + "--seed -1", 2, "--seed: '-1' is not a whole number");
  check_refusal(good + "--seed 99999999999999999999", 2, "--seed");
  check_refusal(good + "--seed 3 --seed 4", 2, "--seed");
  check_refusal(good + "--restarts 0", 2, "--restarts");
  check_refusal(good + "--max-iterations many", 2, "--max-iterations");
  check_refusal("--input e.safetensors --k 2.5 --out none.safetensors", 2, "--k");
  check_refusal("--input e.safetensors --k 11 --out none.safetensors", 2, "kmeans: 11 clusters of 10 points");

  auto points = random_points<float>(10, 4, 4);
  points[4 * 6] = std::numeric_limits<float>::quiet_NaN();
  write("nan.safetensors", {io::stored("embeddings", points)});
  check_refusal("--input nan.safetensors --k 3 --out none.safetensors --json none.json", 2, "row 6");
  write("two.safetensors", {io::stored("a", points), io::stored("b", points)});
  check_refusal("--input two.safetensors --k 3 --out none.safetensors", 2, "several matrices of floats: 'a', 'b'");
  const tensor<float> vector({10}, 0);
  write("vector.safetensors", {io::stored("embeddings", vector)});
  check_refusal("--input vector.safetensors --k 3 --out none.safetensors", 2, "'embeddings' F32 [10]");
  write("empty.safetensors", {io::stored("vector", vector)});
  check_refusal("--input empty.safetensors --k 3 --out none.safetensors", 2, "no other matrix");
}

TEST_CASE("failure exits with 1 and one line, and an old output stays as it was") {
  write("e.safetensors", {io::stored("embeddings", random_points<float>(10, 4, 5))});
  check_refusal("--input missing.safetensors --k 3 --out none.safetensors", 1, "missing.safetensors");
  check_refusal("--input e.safetensors --k 3 --out nowhere/none.safetensors", 1, "nowhere");
  const std::string whole = io::read_text(folder / "e.safetensors");
  std::ofstream(folder / "cut.safetensors", std::ios::binary) << whole.substr(0, whole.size() - 5);
  std::ofstream(folder / "old.safetensors") << "old";
  check_refusal("--input cut.safetensors --k 3 --out old.safetensors", 1, "cut.safetensors");
  CHECK(io::read_text(folder / "old.safetensors") == "old");
}

TEST_CASE("a full disk behind standard output is a failure") {
  write("e.safetensors", {io::stored("embeddings", random_points<float>(10, 4, 6))});
  const std::string command = "cd '" + folder.path().string() +
                              "' && " MOR1E_PROGRAMS_DIR
                              "/cluster --input e.safetensors --k 2 --out o.safetensors >/dev/full 2>/dev/null";
  CHECK(WEXITSTATUS(std::system(command.c_str())) == 1);
}

TEST_CASE("--help describes every option and exits with 0") {
  const auto got = cluster_program("--help");
  CHECK(got.code == 0);
  CHECK(got.err == "");
  for (const char* option : {"--input", "--k", "--out", "--restarts", "--max-iterations", "--backend", "--threads",
                             "--seed", "--log", "--json", "--quiet"}) {
    CAPTURE(option);
    CHECK(got.out.find(option) != std::string::npos);
  }
}
