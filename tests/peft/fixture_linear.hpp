// The frozen linear of an adapter fixture.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/nn/projection_group.hpp"

namespace mor1e::testing {

/// A group of one linear, named "linear": `weight` [out, in] and, where the file has one, `bias` [out].
template <class B, class T>
nn::projection_group<B, T> linear_of(B& device, const io::safetensors_file& file) {
  std::vector<nn::linear<B, T>> parts(1);
  parts[0].name = "linear";
  parts[0].w = nn::weight<B, T>(typename B::template frozen<T>(device, file.read<T>("weight")));
  if (file.find("bias")) {
    const tensor<T> bias = file.read<T>("bias");
    auto p = std::make_unique<param<B, T>>(device, "linear.bias", shape{1, bias.size()});
    p->write(bias);
    parts[0].b = nn::vector_weight<B, T>(std::move(p), false);
  }
  return nn::projection_group<B, T>(device, std::move(parts));
}

}  // namespace mor1e::testing
