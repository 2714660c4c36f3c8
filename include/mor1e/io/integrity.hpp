// Tensors as they should be: finite, and as they were written.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/io/safetensors.hpp"

namespace mor1e::io {

/// The tensors of a file, in its mapping.
std::vector<stored_tensor> tensors_of(const safetensors_file& file);

/// Throws `io_error` "WHERE: tensor 'NAME': element I is nan" (or infinite) unless every float is finite.
void require_finite(std::span<const stored_tensor> tensors, std::string_view where);

/// SHA-256 of names, types, shapes and bytes, in the order of the names, and of `also`.
std::string digest_of(std::span<const stored_tensor> tensors, std::string_view also = {});
/// The same of the tensors in a file, of which no more than one is resident at a time.
std::string digest_of(const safetensors_file& file, std::string_view also = {});

/// The metadata with a `sha256` more: the digest of the tensors, of the other metadata, and of `also`.
std::map<std::string, std::string> sealed(std::map<std::string, std::string> metadata,
                                          std::span<const stored_tensor> tensors, std::string_view also = {});
/// Throws `io_error` naming the file and the `remedy` if it is sealed and not as it was. Returns whether it is sealed.
bool check_seal(const safetensors_file& file, std::string_view remedy, std::string_view also = {});

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/integrity.ipp"
#endif
