// Trained parameters as a safetensors file, by their names.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/autodiff/module.hpp"
#include "mor1e/io/safetensors.hpp"

namespace mor1e::io {

/// Writes every parameter under its name, whole or not at all. Throws `io_error` as `write_safetensors`, also for
/// two parameters of one name.
template <class B, class T>
void save_parameters(const std::filesystem::path& path, const std::vector<param<B, T>*>& parameters) {
  std::vector<tensor<T>> values;
  std::vector<stored_tensor> tensors;
  for (const param<B, T>* p : parameters) {
    values.push_back(p->read());
    tensors.push_back({p->name, dtype_of<T>, p->extents(), values.back().data()});
  }
  write_safetensors(path, tensors, {});
}

/// Reads every parameter back. Throws `io_error` naming file and tensor for one that is missing or has another shape or
/// type, and for a tensor that no parameter is called by; the parameters are then as they were.
template <class B, class T>
void load_parameters(const std::filesystem::path& path, const std::vector<param<B, T>*>& parameters) {
  const safetensors_file file(path);
  std::vector<tensor<T>> values;
  for (const param<B, T>* p : parameters) {
    const safetensors_entry& entry = file.at(p->name);
    require<io_error>(entry.extents == p->extents() && entry.type == dtype_of<T>, path.string(), ": tensor '", p->name,
                      "' is ", name_of(entry.type), " ", entry.extents, ", the parameter ", name_of(dtype_of<T>), " ",
                      p->extents());
    values.push_back(file.read<T>(p->name));
  }
  for (const safetensors_entry& entry : file.entries())
    require<io_error>(
        std::any_of(parameters.begin(), parameters.end(), [&](const param<B, T>* p) { return p->name == entry.name; }),
        path.string(), ": tensor '", entry.name, "' is no parameter");
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i]->write(values[i]);
}

/// The same of the parameters of a module.
template <Module M>
void save_parameters(const std::filesystem::path& path, M&& module) {
  save_parameters(path, module.parameters());
}
template <Module M>
void load_parameters(const std::filesystem::path& path, M&& module) {
  load_parameters(path, module.parameters());
}

}  // namespace mor1e::io
