// Weights whose names lack the beginning that Hugging Face gives them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/io/weights.hpp"

namespace mor1e::io {

/// The tensors of `from`, each known by prefix + its name there: files that were saved from inside a model.
class prefixed_weights final : public weight_source {
 public:
  prefixed_weights(std::unique_ptr<weight_source> from, std::string prefix)
      : from_(std::move(from)), prefix_(std::move(prefix)) {}

  std::vector<std::string> names() const override {
    std::vector<std::string> out = from_->names();
    for (std::string& name : out) name = prefix_ + name;
    return out;
  }
  bool contains(std::string_view name) const override {
    return name.starts_with(prefix_) && from_->contains(own(name));
  }
  shape extents(std::string_view name) const override { return from_->extents(own(name)); }
  std::string stored_type(std::string_view name) const override { return from_->stored_type(own(name)); }
  void read(std::string_view name, float* out) const override { from_->read(own(name), out); }
  void read(std::string_view name, double* out) const override { from_->read(own(name), out); }
  const float* mapped_f32(std::string_view name) const override { return from_->mapped_f32(own(name)); }
  std::unique_ptr<row_source<float>> stored_rows(std::string_view name) const override {
    return from_->stored_rows(own(name));
  }
  void drop(std::string_view name) const override { from_->drop(own(name)); }

 private:
  std::string_view own(std::string_view name) const {
    return name.starts_with(prefix_) ? name.substr(prefix_.size()) : name;
  }

  std::unique_ptr<weight_source> from_;
  std::string prefix_;
};

}  // namespace mor1e::io
