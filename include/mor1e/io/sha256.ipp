#pragma once

#include <openssl/evp.h>
#include <vector>

#include "mor1e/io/open_file.hpp"
#include "mor1e/io/sha256.hpp"

namespace mor1e::io {

MOR1E_INLINE void sha256::release::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

MOR1E_INLINE sha256::sha256() : context_(EVP_MD_CTX_new()) {
  require<error>(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
                 "sha256: libcrypto refuses to start a digest");
}
MOR1E_INLINE sha256::~sha256() = default;
MOR1E_INLINE sha256::sha256(sha256&&) noexcept = default;
MOR1E_INLINE sha256& sha256::operator=(sha256&&) noexcept = default;

MOR1E_INLINE void sha256::update(std::span<const std::byte> bytes) {
  require<error>(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "sha256: update failed");
}

MOR1E_INLINE void sha256::update_file(const std::filesystem::path& path) {
  struct ::stat about {};
  const detail::descriptor opened = detail::open_regular(path, about);
  // A buffer instead of a mapping: hashing gigabytes must not raise the peak of resident memory.
  std::vector<std::byte> buffer(1 << 20);
  while (true) {
    const ssize_t count = ::read(opened.file, buffer.data(), buffer.size());
    if (count == 0) return;
    if (count < 0 && errno != EINTR) detail::throw_errno(path, "read");
    if (count > 0) update({buffer.data(), std::size_t(count)});
  }
}

MOR1E_INLINE std::string sha256::hex() {
  unsigned char digest[32];
  unsigned int length = 0;
  require<error>(EVP_DigestFinal_ex(context_.get(), digest, &length) == 1 && length == sizeof digest,
                 "sha256: the digest is already taken");
  std::string out;
  for (const unsigned char byte : digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

MOR1E_INLINE std::string sha256_of(std::span<const std::byte> bytes) {
  sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

MOR1E_INLINE std::string sha256_of_file(const std::filesystem::path& path) {
  sha256 hash;
  hash.update_file(path);
  return hash.hex();
}

}  // namespace mor1e::io
