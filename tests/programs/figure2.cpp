// figure2: a map of the tasks, and how far clusters agree with categories.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "programs/shell.hpp"

using namespace mor1e;

namespace {

const std::string program = "paper/figure2";

/// Two kinds of task whose prompts share no letter, two tasks of each kind that share most of them.
void write_tasks(const testing::shell& here) {
  for (const auto& [task, word] : {std::pair("apples", "aaa bab aba"), std::pair("acorns", "bba aab baa"),
                                   std::pair("yachts", "xyx yyx xxy"), std::pair("yawls", "yxy xxx yyx")}) {
    const std::filesystem::path folder = here / "data" / task;
    std::filesystem::create_directories(folder);
    std::string rows;
    for (int i = 0; i < 20; ++i) {
      std::string words;
      for (int k = 0; k < 5; ++k) words += std::string(word).substr(4 * ((i + k * k) % 3), 3) + " ";
      rows +=
          nlohmann::json{
              {"id", std::to_string(i)}, {"task", task}, {"question", words},
              {"choices", {"a", "b"}},   {"answer", 0},  {"meta", {{"template", "bare"}, {"answer", "text"}}}}
              .dump() +
          "\n";
    }
    io::write_text(folder / "train.jsonl", rows);
  }
}

}  // namespace

TEST_CASE("--quick writes its files, the same each time, and its numbers are in their ranges") {
  const testing::shell here;
  const std::string printed = here.check_success(program, "--quick --out a --json a/all.json");
  here.check_success(program, "--quick --out b --quiet --threads 3");
  for (const char* name : {"figure2.md", "figure2.tex", "figure2.csv", "figure2.json"}) {
    CAPTURE(name);
    REQUIRE(std::filesystem::exists(here / "a" / name));
    CHECK(io::read_text(here / "a" / name) == io::read_text(here / "b" / name));
  }
  CHECK(io::read_text(here / "a/figure2.md") == printed);
  for (const char* name : {"figure2.svg.gp", "figure2-pca.svg.gp"}) CHECK(std::filesystem::exists(here / "a" / name));

  const nlohmann::json json = io::read_json(here / "a/figure2.json");
  CHECK(json == io::read_json(here / "a/all.json"));
  CHECK(json.at("prompts") == 60);
  CHECK(json.at("tasks").size() == 5);
  REQUIRE(json.at("agreement").size() == 4);
  for (const auto& line : json["agreement"]) {
    CAPTURE(line.dump());
    CHECK(line.at("adjusted_rand").get<double>() <= 1);
    CHECK(line.at("adjusted_rand").get<double>() > 0.05);  // trigrams tell some of the suite's tasks apart
    CHECK(line.at("mutual_information").get<double>() <= 1);
    CHECK(line.at("mutual_information").get<double>() > line.at("mutual_information_shuffled").get<double>());
  }
  for (const auto& task : json["tasks"])
    for (const double cosine : task.at("cosines")) CHECK(std::abs(cosine) <= 1 + 1e-12);
  double explained = 0;
  for (const double share : json.at("variance_explained")) explained += share;
  CHECK(explained > 0);
  CHECK(explained < 1);

  std::istringstream rows(io::read_text(here / "a/figure2.csv"));
  std::string line;
  std::getline(rows, line);
  CHECK(line == "task,category,cluster,pca_x,pca_y,tsne_x,tsne_y");
  int count = 0;
  for (; std::getline(rows, line); ++count) CHECK(std::count(line.begin(), line.end(), ',') == 6);
  CHECK(count == 60);
}

TEST_CASE("categories that are what the embedder sees, and others") {
  const testing::shell here;
  write_tasks(here);
  const std::string common = "--data data --embedder toy --limit 15 --clusters 2 --quiet ";
  here.check_success(program, common + "--categories 'apples,acorns;yachts,yawls' --out seen");
  here.check_success(program, common + "--categories 'apples,yachts;acorns,yawls' --out unseen");
  const nlohmann::json seen = io::read_json(here / "seen/figure2.json"),
                       unseen = io::read_json(here / "unseen/figure2.json");
  CHECK(seen["agreement"][0].at("sorted_by") == "categories");
  CHECK(seen["agreement"][0].at("adjusted_rand") == 1);
  CHECK(seen["agreement"][0].at("mutual_information").get<double>() == doctest::Approx(1));
  CHECK(seen["agreement"][0].at("mutual_information_shuffled").get<double>() < 0.1);
  CHECK(seen.at("cosine_within").get<double>() > seen.at("cosine_between").get<double>() + 0.3);
  // Of the three ways to make two pairs of four tasks, one in three is as good.
  CHECK(seen["by_lot"].at("adjusted_rand_as_good").get<double>() == doctest::Approx(1 / 3.).epsilon(0.15));
  CHECK(unseen["agreement"][0].at("adjusted_rand").get<double>() < 0);
  CHECK(unseen.at("cosine_within").get<double>() < unseen.at("cosine_between").get<double>());
  CHECK(unseen["by_lot"].at("adjusted_rand_as_good").get<double>() == 1);
}

TEST_CASE("the paper's categories are the ones of its tasks, and others stand alone") {
  const testing::shell here;
  write_tasks(here);
  for (const auto& [from, to] : {std::pair("apples", "boolq"), std::pair("acorns", "csqa"), std::pair("yawls", "obqa")})
    std::filesystem::rename(here / "data" / from, here / "data" / to);
  const std::string printed =
      here.check_success(program, "--data data --embedder toy --limit 15 --clusters 2 --out out");
  CHECK(printed.find("knowledge: boolq, csqa; ") != std::string::npos);
  CHECK(printed.find("obqa") != std::string::npos);
  CHECK(printed.find("| boolq, csqa | knowledge | one category, far apart | ") != std::string::npos);
  CHECK(printed.find("arc_easy") == std::string::npos);
  const std::string rows = io::read_text(here / "out/figure2.csv");
  CHECK(rows.find("\nboolq,knowledge,") != std::string::npos);
  CHECK(rows.find("\nobqa,understanding,") != std::string::npos);
  CHECK(rows.find("\nyachts,yachts,") != std::string::npos);
}

TEST_CASE("what cannot be drawn is refused before anything is written") {
  const testing::shell here;
  const std::string good = "--quick --out none ";
  here.check_refusal(program, "--out none", 2, "--data is required");
  here.check_refusal(program, "--quick", 2, "--out is required");
  here.check_refusal(program, good + "--categories 'review,flip'", 2, "is in none of review,flip");
  here.check_refusal(program, good + "--categories 'review,flip;house,coref,compare,review'", 2, "review is in two of");
  here.check_refusal(program, good + "--categories 'review,flip;house,coref,compare;luck'", 2, "'luck'");
  here.check_refusal(program, good + "--categories 'review,flip;;house,coref,compare'", 2, "an empty one");
  here.check_refusal(program, good + "--categories 'review,flip,house,coref,compare'", 2, "one category");
  here.check_refusal(program, good + "--tasks review", 2, "one category");
  here.check_refusal(program, good + "--tasks review,luck", 2, "luck");
  here.check_refusal(program, good + "--clusters 61", 2, "61 clusters of 60 prompts");
  here.check_refusal(program, good + "--limit 1 --clusters 2", 2, "5 prompts");
  here.check_refusal(program, good + "--limit 0", 2, "--limit");
  here.check_refusal(program, good + "--template fancy", 2, "fancy");
  here.check_refusal(program, good + "--answer song", 2, "song");
  here.check_refusal(program, good + "--data nowhere", 1, "nowhere");
  here.check_refusal(program, good + "--embedder nobody", 1, "nobody");
}
