#include "frontend/code_mark.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

namespace reprise::frontend {

std::vector<u8> code_mark(std::span<const u8> key, std::span<const u8> head, std::span<const u8> bytes) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                                                              EVP_MAC_free);
  if (mac == nullptr) return {};
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(mac.get()),
                                                                          EVP_MAC_CTX_free);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  std::vector<u8> mark(kMarkBytes);
  std::size_t made = 0;
  const bool ok = context != nullptr &&
                  EVP_MAC_init(context.get(), key.data(), key.size(), parameters) == 1 &&
                  EVP_MAC_update(context.get(), head.data(), head.size()) == 1 &&
                  EVP_MAC_update(context.get(), bytes.data(), bytes.size()) == 1 &&
                  EVP_MAC_final(context.get(), mark.data(), &made, mark.size()) == 1 && made == mark.size();
  if (!ok) return {};
  return mark;
}

}  // namespace reprise::frontend
