(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with mean squared error: K = 10, N = 50, d = 12.
    [lower_bound] is about every point of every dimension, [upper_bound] about the
    point below, [certified_gap] says how far above the global minimum that is. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From UFM Require Import CollapseIdentity Labels Mse.
From UFM Require Import CertificateNumbers CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

Local Open Scope Z_scope.
Definition sizes : seq Z := [:: 5; 5; 5; 5; 5; 5; 5; 5; 5; 5].
Definition lambda_W : Q := (1 # 50)%binQ.
Definition lambda_H : Q := (1 # 100)%binQ.
Definition the_problem : problem :=
  onehot_problem 10 sizes lambda_W lambda_H FreeBiasN.
Definition the_dual : dual := Dual 0x40000000000000000000000 0x800000000000000000000000000000000000000000000
 [:: [:: -0x1236f7d874419d921100000; 0x2061b89d40749d3c900000; 0x2061b89d4074b33c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074a13c900000; 0x2061b89d4074993c900000; 0x2061b89d4074a13c900000; 0x2061b89d4074a93c900000; 0x2061b89d4074a73c900000; 0x2061b89d4074b13c900000];
  [:: 0x2061b89d4074cb3c800000; -0x1236f7d87441a0921000000; 0x2061b89d4074c13c900000; 0x2061b89d4074af3c900000; 0x2061b89d4074a13c900000; 0x2061b89d4074953c900000; 0x2061b89d4074b33c900000; 0x2061b89d4074993c900000; 0x2061b89d4074a73c900000; 0x2061b89d4074a33c900000];
  [:: 0x2061b89d4074a53c800000; 0x2061b89d4074b93c900000; -0x1236f7d874419b921000000; 0x2061b89d4074ad3c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074833c900000; 0x2061b89d4074a93c900000; 0x2061b89d40749f3c900000; 0x2061b89d4074933c900000; 0x2061b89d4074b13c900000];
  [:: 0x2061b89d4074973c800000; 0x2061b89d4074ad3c900000; 0x2061b89d4074ab3c900000; -0x1236f7d874419d921000000; 0x2061b89d4074b33c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d40749b3c900000; 0x2061b89d4074a73c900000];
  [:: 0x2061b89d4074a53c800000; 0x2061b89d4074973c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074893c900000; -0x1236f7d874419d921000000; 0x2061b89d4074ad3c900000; 0x2061b89d4074c33c900000; 0x2061b89d4074a33c900000; 0x2061b89d4074b33c900000; 0x2061b89d4074af3c900000];
  [:: 0x2061b89d4074973c800000; 0x2061b89d4074b53c900000; 0x2061b89d4074ad3c900000; 0x2061b89d4074a53c900000; 0x2061b89d4074b93c900000; -0x1236f7d874419d921000000; 0x2061b89d4074873c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074b13c900000; 0x2061b89d4074ab3c900000];
  [:: 0x2061b89d40749f3c800000; 0x2061b89d4074a13c900000; 0x2061b89d40749d3c900000; 0x2061b89d40749f3c900000; 0x2061b89d4074b53c900000; 0x2061b89d4074ab3c900000; -0x1236f7d874419d921000000; 0x2061b89d40749f3c900000; 0x2061b89d4074a93c900000; 0x2061b89d4074b33c900000];
  [:: 0x2061b89d4074a13c800000; 0x2061b89d4074a93c900000; 0x2061b89d4074a33c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074a53c900000; 0x2061b89d4074ad3c900000; 0x2061b89d40749d3c900000; -0x1236f7d874419d921000000; 0x2061b89d4074a93c900000; 0x2061b89d4074a73c900000];
  [:: 0x2061b89d4074b73c800000; 0x2061b89d4074973c900000; 0x2061b89d4074a33c900000; 0x2061b89d4074b13c900000; 0x2061b89d4074973c900000; 0x2061b89d4074b53c900000; 0x2061b89d4074a33c900000; 0x2061b89d40749b3c900000; -0x1236f7d874419c921000000; 0x2061b89d40749b3c900000];
  [:: 0x2061b89d4074c93c800000; 0x2061b89d4074a13c900000; 0x2061b89d4074a73c900000; 0x2061b89d40749f3c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074b13c900000; 0x2061b89d4074953c900000; 0x2061b89d40749f3c900000; 0x2061b89d4074a53c900000; -0x1236f7d874419d921000000]]
 [:: [:: 0xe4f92e2dff7e417a746931; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5ca65165f22d; 0x79957b0ea9d9e0992; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5c352e4df1b1; 0x410eb3eba172ef7c1; 0x6c76d89dca6287450; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5b999e0cf106; 0x40a42b7df1653aeac; 0x2263422ab9154b642; 0x668401996c83ca618; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5bb5e6d2f125; 0x3e8f815981219230f; 0x21a7390eecfa73dea; 0x1a0d4f05974285a7b; 0x647910436babda670; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5b1a5691f07b; 0x40a42b7df16517dda; 0x211adb3461baf80f7; 0x1aa6bd98c0290e158; 0x17e0b02269eb3d86d; 0x61b093053d642f672; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5b8b79a9f0f7; 0x4054452bad5b0fb1c; 0x21a458429c91eca41; 0x1a2ca76d2ca2900ed; 0x182445c44685abb49; 0xe7aab317c16b3237; 0x5fa5662365122fb1c; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5bd22f98f144; 0x3edf67abc52bc174e; 0x21b302139406c8d48; 0x1b326ecbc2812eb1b; 0x151d008f103dae7b5; 0x10ca88badd0cc1b14; 0xcb7b22af2ccd113c; 0x5f23bad2441a3f8d1; 0x0; 0x0];
  [:: 0xe4f92e2dff5c5f9b76f1e0; 0x3d9fce62b5034b3e9; 0x2095077c5b36df95f; 0x1a8213ec24b8a1957; 0x154f74b8594363be8; 0x12a74b8225a3f3e90; 0xd8ae145865deed22; 0xb78c010792c28b86; 0x5f13e5b83a2d9b995; 0x0];
  [:: 0xe4f92e2dff5d2598e0f2b9; 0x3c7ad73510de476df; 0x219e50d69656da1c5; 0x18c8d6d7d6a3faa77; 0x147c723ffe4ae5549; 0x1145667df295b075b; 0xcb8805c4a300a3eb; 0xb29766b1da3f0234; 0x8f8748f2174e1ee7; 0x5d23be5377a7eedf9]].
Definition the_point : point := Point 12 0x100000000000000
 [:: [:: 0xbc384ff7a72aa8; 0x6cab39c8b96300; 0x4cd729c46a3ce0; 0x3b8537ab5ed6d8; 0x309922ce2220a8; 0x2912add22f8650; 0x2391faa762faf0; 0x1f5eb7fe9bdc70; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: -0xbc384ff7a72aa8; 0x6cab39c8b96300; 0x4cd729c46a3ce0; 0x3b8537ab5ed6d8; 0x309922ce2220a8; 0x2912add22f8650; 0x2391faa762faf0; 0x1f5eb7fe9bdc70; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: 0x0; -0xd956739172c600; 0x4cd729c46a3ce0; 0x3b8537ab5ed6d8; 0x309922ce2220a8; 0x2912add22f8650; 0x2391faa762faf0; 0x1f5eb7fe9bdc70; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; -0xe6857d4d3eb6a0; 0x3b8537ab5ed6d8; 0x309922ce2220a8; 0x2912add22f8650; 0x2391faa762faf0; 0x1f5eb7fe9bdc70; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; -0xee14dead7b5b60; 0x309922ce2220a8; 0x2912add22f8650; 0x2391faa762faf0; 0x1f5eb7fe9bdc70; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; -0xf2fdae06aaa340; 0x2912add22f8650; 0x2391faa762faf0; 0x1f5eb7fe9bdc70; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; -0xf67012ed1d25d8; 0x2391faa762faf0; 0x1f5eb7fe9bdc70; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0xf8fdda93b4dc78; 0x1f5eb7fe9bdc70; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0xfaf5bff4dee390; 0x1c0ee4a86178f0; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0xfc8609eb6d4088; 0x0; 0x0; 0x0]]
 [:: [:: 0x770a6f56bdadb0; 0x44ba6c5706a8c8; 0x309922ce2220a8; 0x25a4dccb216ef0; 0x1ebc771b5db1f0; 0x19fa111ff38f78; 0x167f207a592e30; 0x13d7128e74f248; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: -0x770a6f56bdadb0; 0x44ba6c5706a8c8; 0x309922ce2220a8; 0x25a4dccb216ef0; 0x1ebc771b5db1f0; 0x19fa111ff38f78; 0x167f207a592e30; 0x13d7128e74f248; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: 0x0; -0x8974d8ae0d5188; 0x309922ce2220a8; 0x25a4dccb216ef0; 0x1ebc771b5db1f0; 0x19fa111ff38f78; 0x167f207a592e30; 0x13d7128e74f248; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; -0x91cb686a6661f0; 0x25a4dccb216ef0; 0x1ebc771b5db1f0; 0x19fa111ff38f78; 0x167f207a592e30; 0x13d7128e74f248; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; -0x9693732c85bbb8; 0x1ebc771b5db1f0; 0x19fa111ff38f78; 0x167f207a592e30; 0x13d7128e74f248; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; -0x99ae5388d479c0; 0x19fa111ff38f78; 0x167f207a592e30; 0x13d7128e74f248; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; -0x9bdc66bfb55cc0; 0x167f207a592e30; 0x13d7128e74f248; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x9d79e358704348; 0x13d7128e74f248; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x9eb89473a79240; 0x11bedc4c22a738; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x9fb5bead37e0e0; 0x0; 0x0; 0x0]]
 [:: 0x1999999999999a; 0x1999999999999a; 0x1999999999999a; 0x1999999999999a; 0x1999999999999a; 0x1999999999999a; 0x1999999999999a; 0x1999999999999a; 0x1999999999999a; 0x1999999999999a].
Definition lower : Q := (0xf55b02a5fc6c75bcb0fa61f14c464f88c7f # 0x400000000000000000000000000000000000)%binQ.
Definition upper : Q := (0xf55b02a5fc6df4a69bcd9a609480cc94ca15863 # 0x4000000000000000000000000000000000000000)%binQ.
Definition gap : Q := (0xbf74f5699c37a41d3e860113 # 0x2000000000000000000000000000000000000)%binQ.

Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_mse_lower the_problem the_dual lower.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_mse_upper the_problem the_point upper.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_10) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(10, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_10),
  bias_allowed (@FreeBias R) b ->
  qr R lower <= ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b.
Proof. exact: (mse_lower_claim lower_checked). Qed.

Theorem upper_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_10) :
  sizes_are lab sizes ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := mse_upper_claim upper_checked R h. Qed.

Theorem certified_gap (R : rcfType) (N : nat) (lab : 'I_N -> 'I_10) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(10, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_10),
  bias_allowed (@FreeBias R) b ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound R h) (lower_bound h W H ok).
Qed.
Print Assumptions certified_gap.
