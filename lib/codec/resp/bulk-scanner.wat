;; Finds the arguments of a command (bulk-scanner.ts).
;; scripts/write-wasm-modules.ts puts it into bulk-scanner-wasm.ts.
(module
  ;; Of 64 KiB each: the arguments as they travel, from 0 on, and from $OFFSETS on where each begins and ends, 32 bits each.
  (memory (export "memory") 3)
  (global $OFFSETS i32 (i32.const 0x18000))

  ;; Finds the bulk strings that the first $to bytes begin with, $most and of $maxBytes at most, up to one that is not whole, or not well-formed: how many they are. What it
  ;; tells of them is counted from $base before the first byte.
  (func (export "scan") (param $to i32) (param $most i32) (param $maxBytes i32) (param $base i32) (result i32)
    (local $count i32) (local $at i32) (local $digit i32) (local $length i32) (local $digits i32) (local $begin i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $count) (local.get $most)))
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 6)) (local.get $to)))
        (br_if $done (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x24)))
        (local.set $begin (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.const 0))
        (local.set $digits (i32.const 0))
        (block $read
          (loop $more
            (local.set $digit
              (i32.sub (i32.load8_u (i32.add (local.get $begin) (local.get $digits))) (i32.const 48)))
            (br_if $read (i32.gt_u (local.get $digit) (i32.const 9)))
            (local.set $length (i32.add (i32.mul (local.get $length) (i32.const 10)) (local.get $digit)))
            (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $digits) (i32.const 6)))))
        ;; One digit at least, and five at most; none before others is 0.
        (br_if $done (i32.gt_u (i32.sub (local.get $digits) (i32.const 1)) (i32.const 4)))
        (br_if $done
          (i32.and
            (i32.gt_u (local.get $digits) (i32.const 1))
            (i32.eq (i32.load8_u (local.get $begin)) (i32.const 48))))
        (br_if $done (i32.gt_u (local.get $length) (local.get $maxBytes)))
        (local.set $begin (i32.add (local.get $begin) (local.get $digits)))
        (br_if $done (i32.ne (i32.load16_u (local.get $begin)) (i32.const 0x0a0d)))
        (local.set $begin (i32.add (local.get $begin) (i32.const 2)))
        (local.set $at (i32.add (local.get $begin) (local.get $length)))
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 2)) (local.get $to)))
        (br_if $done (i32.ne (i32.load16_u (local.get $at)) (i32.const 0x0a0d)))
        (local.set $digit (i32.add (global.get $OFFSETS) (i32.shl (local.get $count) (i32.const 3))))
        (i32.store (local.get $digit) (i32.add (local.get $begin) (local.get $base)))
        (i32.store offset=4 (local.get $digit) (i32.add (local.get $at) (local.get $base)))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br $next)))
    (local.get $count))
)
