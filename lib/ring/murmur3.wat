;; MurmurHash3_x64_128 with seed 0 of many keys in one call, as murmur3.ts has it for one: WebAssembly multiplies 64 bits by 64, JavaScript does not.
;; scripts/write-murmur3-wasm.ts puts it into murmur3-wasm.ts.
(module
  ;; 64 KiB each: two for keys and one for their hashes (key-batch.ts).
  (memory (export "memory") 3)

  (func $mix1 (param $k i64) (result i64)
    (i64.mul
      (i64.rotl (i64.mul (local.get $k) (i64.const 0x87c37b91114253d5)) (i64.const 31))
      (i64.const 0x4cf5ad432745937f)))

  (func $mix2 (param $k i64) (result i64)
    (i64.mul
      (i64.rotl (i64.mul (local.get $k) (i64.const 0x4cf5ad432745937f)) (i64.const 33))
      (i64.const 0x87c37b91114253d5)))

  (func $fmix64 (param $k i64) (result i64)
    (local.set $k (i64.xor (local.get $k) (i64.shr_u (local.get $k) (i64.const 33))))
    (local.set $k (i64.mul (local.get $k) (i64.const 0xff51afd7ed558ccd)))
    (local.set $k (i64.xor (local.get $k) (i64.shr_u (local.get $k) (i64.const 33))))
    (local.set $k (i64.mul (local.get $k) (i64.const 0xc4ceb9fe1a85ec53)))
    (i64.xor (local.get $k) (i64.shr_u (local.get $k) (i64.const 33))))

  ;; The $count bytes at $at, up to eight, little-endian.
  (func $tail (param $at i32) (param $count i32) (result i64)
    (local $k i64)
    (block $done
      (loop $next
        (br_if $done (i32.le_s (local.get $count) (i32.const 0)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (local.set $k
          (i64.or
            (i64.shl (local.get $k) (i64.const 8))
            (i64.load8_u (i32.add (local.get $at) (local.get $count)))))
        (br $next)))
    (local.get $k))

  ;; The first 64 bits of the hash of the $length bytes at $at.
  (func $hash (param $at i32) (param $length i32) (result i64)
    (local $h1 i64) (local $h2 i64) (local $rest i32)
    (local.set $rest (local.get $length))
    (block $done
      (loop $next
        (br_if $done (i32.lt_u (local.get $rest) (i32.const 16)))
        (local.set $h1 (i64.rotl (i64.xor (local.get $h1) (call $mix1 (i64.load (local.get $at)))) (i64.const 27)))
        (local.set $h1 (i64.add (local.get $h1) (local.get $h2)))
        (local.set $h1 (i64.add (i64.mul (local.get $h1) (i64.const 5)) (i64.const 0x52dce729)))
        (local.set $h2 (i64.rotl (i64.xor (local.get $h2) (call $mix2 (i64.load offset=8 (local.get $at)))) (i64.const 31)))
        (local.set $h2 (i64.add (local.get $h2) (local.get $h1)))
        (local.set $h2 (i64.add (i64.mul (local.get $h2) (i64.const 5)) (i64.const 0x38495ab5)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $rest (i32.sub (local.get $rest) (i32.const 16)))
        (br $next)))
    (if (i32.gt_u (local.get $rest) (i32.const 8))
      (then
        (local.set $h1 (i64.xor (local.get $h1) (call $mix1 (i64.load (local.get $at)))))
        (local.set $h2
          (i64.xor
            (local.get $h2)
            (call $mix2
              (call $tail (i32.add (local.get $at) (i32.const 8)) (i32.sub (local.get $rest) (i32.const 8)))))))
      (else
        (local.set $h1 (i64.xor (local.get $h1) (call $mix1 (call $tail (local.get $at) (local.get $rest)))))))
    (local.set $h1 (i64.xor (local.get $h1) (i64.extend_i32_u (local.get $length))))
    (local.set $h2 (i64.xor (local.get $h2) (i64.extend_i32_u (local.get $length))))
    (local.set $h1 (i64.add (local.get $h1) (local.get $h2)))
    (local.set $h2 (i64.add (local.get $h2) (local.get $h1)))
    (i64.add (call $fmix64 (local.get $h1)) (call $fmix64 (local.get $h2))))

  ;; $keys: the start and the length of each of $count keys, 32 bits each. Puts the first 64 bits of the hash of each in their place.
  (func (export "hashKeys") (param $keys i32) (param $count i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $keys) (i32.shl (local.get $count) (i32.const 3))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $keys) (local.get $end)))
        (i64.store
          (local.get $keys)
          (call $hash (i32.load (local.get $keys)) (i32.load offset=4 (local.get $keys))))
        (local.set $keys (i32.add (local.get $keys) (i32.const 8)))
        (br $next)))))
