// A small model as a folder, and ways to break it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/text/byte_alphabet.hpp"

namespace mor1e::testing {

/// A tokenizer of bytes: token i is the byte i.
inline void write_tokenizer(const std::filesystem::path& folder) {
  nlohmann::json vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary[texts::byte_characters(std::string(1, char(byte)))] = byte;
  io::write_json(folder / "tokenizer.json",
                 {{"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}},
                  {"decoder", {{"type", "ByteLevel"}}},
                  {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}}});
}

/// The toy model as a folder, with a tokenizer of bytes.
inline void write_model(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const io::checkpoint toy = models::toy_checkpoint();
  io::write_json(folder / "config.json", toy.config);
  std::vector<tensor<float>> values;
  std::vector<io::stored_tensor> tensors;
  for (const std::string& name : toy.weights->names()) values.push_back(toy.weights->load<float>(name));
  for (std::size_t i = 0; i < values.size(); ++i) tensors.push_back(io::stored(toy.weights->names()[i], values[i]));
  io::write_safetensors(folder / "model.safetensors", tensors);
  write_tokenizer(folder);
}

/// The file with one element of one tensor replaced.
inline void break_tensor(const std::filesystem::path& path, const std::string& name, float value) {
  std::vector<tensor<float>> values;
  std::vector<io::stored_tensor> tensors;
  {
    const io::safetensors_file file(path);
    for (const auto& entry : file.entries()) values.push_back(file.read<float>(entry.name));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (file.entries()[i].name == name) values[i][0] = value;
      tensors.push_back(io::stored(file.entries()[i].name, values[i]));
    }
  }
  io::write_safetensors(path, tensors, {{"format", "pt"}});
}

}  // namespace mor1e::testing
