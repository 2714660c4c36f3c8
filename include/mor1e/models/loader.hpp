// Takes the weights of a model out of a checkpoint, and accounts for every tensor.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mor1e/backend/concept.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/nn/projection_group.hpp"

namespace mor1e::models {

struct load_options {
  bool trainable = false;  ///< every weight a parameter with a gradient, instead of frozen
  /// Frozen weights that a file has in fewer bits stay in that form, and rows of them are decoded for each product: the
  /// same numbers in less memory. False: all are decoded once. Devices that hold no stored form decode in any case.
  bool stored = true;
};

/// Reads named tensors with the shapes a model expects; from a checkpoint without weights, zeros. Errors name file,
/// tensor and both shapes.
template <class B, class T>
class loader {
 public:
  loader(B& device, std::shared_ptr<io::checkpoint> from, load_options options)
      : device_(&device), from_(std::move(from)), options_(options) {}

  B& device() const { return *device_; }
  const io::checkpoint& source() const { return *from_; }
  bool has(const std::string& name) const { return from_->weights && from_->weights->contains(name); }

  nn::weight<B, T> matrix(const std::string& name, index_t rows, index_t cols) {
    expect(name, shape{rows, cols});
    if (options_.trainable) return nn::weight<B, T>(parameter(name, shape{rows, cols}));
    if (!from_->weights) return frozen_matrix(tensor<T>(shape{rows, cols}, T(0)));
    if constexpr (std::is_same_v<T, float>)
      if (const float* mapped = from_->weights->mapped_f32(name))
        return nn::weight<B, T>(
            frozen(*device_, view<const T>(mapped, rows, cols), std::shared_ptr<const void>(from_)));
    if constexpr (std::is_same_v<T, float> && HasStoredFrozen<B, T>)
      if (options_.stored)
        if (auto stored = from_->weights->stored_rows(name)) {
          // The rows lie in the files that the checkpoint holds open.
          const auto keep = [from = from_](const row_source<T>* rows) { delete rows; };
          return nn::weight<B, T>(frozen(*device_, std::shared_ptr<const row_source<T>>(stored.release(), keep)));
        }
    return frozen_matrix(host(name, rows, cols));
  }

  /// A frozen weight of values that the model made of tensors.
  nn::weight<B, T> frozen_matrix(tensor<T> values) const {
    return nn::weight<B, T>(frozen(*device_, std::move(values)));
  }

  nn::vector_weight<B, T> vector(const std::string& name, index_t n) {
    expect(name, shape{n});
    return {parameter(name, shape{n}), options_.trainable};
  }
  nn::vector_weight<B, T> vector_if(bool wanted, const std::string& name, index_t n) {
    return wanted ? vector(name, n) : nn::vector_weight<B, T>{};
  }

  /// The linears `at` + name of inputs of the same size, each with a bias or none.
  nn::projection_group<B, T> group(const std::string& at, index_t inputs, std::initializer_list<nn::output> outputs,
                                   bool bias) {
    std::vector<nn::linear<B, T>> parts;
    for (const nn::output& o : outputs)
      parts.emplace_back(at + o.name, matrix(at + o.name + ".weight", o.size, inputs),
                         vector_if(bias, at + o.name + ".bias", o.size));
    return nn::projection_group<B, T>(*device_, std::move(parts));
  }

  /// A matrix as host values, for models that combine tensors.
  tensor<T> host(const std::string& name, index_t rows, index_t cols) {
    expect(name, shape{rows, cols});
    tensor<T> values(shape{rows, cols});
    read(name, values);
    return values;
  }

  /// Names a tensor that may be there and is not used.
  void ignore(const std::string& name) { seen_.insert(name); }
  void ignore_prefix(const std::string& prefix) {
    if (!from_->weights) return;
    for (const std::string& name : from_->weights->names())
      if (name.starts_with(prefix)) seen_.insert(name);
  }

  /// Throws `io_error` listing tensors of the file that nothing asked for.
  void finish() const {
    if (!from_->weights) return;
    std::string unexpected;
    int count = 0;
    for (const std::string& name : from_->weights->names()) {
      if (seen_.count(name)) continue;
      if (++count <= 4) unexpected += (count > 1 ? ", " : "") + name;
    }
    require<io_error>(count == 0, from_->path.string(), ": ", count, " unexpected tensors: ", unexpected,
                      count > 4 ? ", ..." : "");
  }

 private:
  using frozen = typename B::template frozen<T>;

  void expect(const std::string& name, const shape& wanted) {
    if (!from_->weights) return;
    require<io_error>(has(name), from_->path.string(), ": tensor '", name, "' is missing");
    const shape found = from_->weights->extents(name);
    require<io_error>(found == wanted, from_->path.string(), ": tensor '", name, "' has shape ", found,
                      ", the configuration asks for ", wanted);
    seen_.insert(name);
  }
  void read(const std::string& name, tensor<T>& to) {
    if (!from_->weights) return void(std::fill_n(to.data(), to.size(), T(0)));
    from_->weights->read(name, to.data());
    from_->weights->drop(name);
  }
  std::unique_ptr<param<B, T>> parameter(const std::string& name, shape extents) {
    tensor<T> values(extents.rank() == 1 ? shape{1, extents[0]} : extents);
    read(name, values);
    auto p = std::make_unique<param<B, T>>(*device_, name, values);
    if (!options_.trainable) p->gradient = {};
    return p;
  }

  B* device_;
  std::shared_ptr<io::checkpoint> from_;
  load_options options_;
  std::set<std::string> seen_;
};

}  // namespace mor1e::models
