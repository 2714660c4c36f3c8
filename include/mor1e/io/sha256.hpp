// SHA-256 of bytes and files, as lower-case hex.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "mor1e/core/config.hpp"
#include "mor1e/core/error.hpp"

struct evp_md_ctx_st;  // EVP_MD_CTX of libcrypto

namespace mor1e::io {

/// SHA-256 of bytes that come in pieces.
class sha256 {
 public:
  sha256();
  ~sha256();
  sha256(sha256&&) noexcept;
  sha256& operator=(sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  /// The whole file, read through a buffer. Throws `io_error` naming the file.
  void update_file(const std::filesystem::path& path);
  /// The 64 hex digits of everything so far; to be called once, at the end.
  std::string hex();

 private:
  struct release {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, release> context_;
};

/// 64 hex digits.
std::string sha256_of(std::span<const std::byte> bytes);
/// 64 hex digits of a file's content. Throws `io_error` naming the file.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/sha256.ipp"
#endif
