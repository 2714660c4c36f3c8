// Training in twenty lines: embed, cluster, attach, step.
#include <cstdio>

#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/train/examples.hpp"
#include "mor1e/train/intuition.hpp"

using namespace mor1e;

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "toy";
  cpu device;
  const auto model = models::load(device, name);
  const auto tasks = data::make_suite([](auto) { return true; }, {.train_items = 64});
  const auto set = train::encode(tasks, models::open_tokenizer(name), {}, 512, false);

  const auto embedder = models::load_sentence_embedder(device, "toy");
  const auto embeddings = embedder->embed(train::prompts_of(set.rows));
  const auto clusters = cluster::kmeans(device, embeddings, {.clusters = 32});
  const auto intuition = cluster::intuition(device, embeddings, clusters.centroids);

  auto adapters = peft::attach(*model, peft::mor1e{.experts = 32});
  train::trainer trainer(device, *model, adapters, {.adam = {.learning_rate = 5e-3}});
  double first = 0, last = 0;
  for (const auto& batch : data::pack(set.examples, {.tokens = 2048})) {
    last = trainer.step({&batch, 1}, intuition, 1).loss;
    if (first == 0) first = last;
  }
  std::printf("loss %.3f -> %.3f\n", first, last);
  return last < first ? 0 : 1;
}
