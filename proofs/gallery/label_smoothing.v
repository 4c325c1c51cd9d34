(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with label smoothing: K = 3, N = 6, d = 3.
    [lower_bound] is about every point of every dimension, [upper_bound] about the
    point below, [certified_gap] says how far above the global minimum that is. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From UFM Require Import CollapseIdentity Labels Exponential Softmax CrossEntropy.
From UFM Require Import CertificateNumbers CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

Local Open Scope Z_scope.
Definition sizes : seq Z := [:: 2; 2; 2].
Definition lambda_W : Q := (1 # 50)%binQ.
Definition lambda_H : Q := (1 # 100)%binQ.
Definition the_problem : problem :=
  smoothed_problem 3 (1 # 10)%binQ sizes lambda_W lambda_H FreeBiasN.
Definition the_dual : dual := Dual 0x20000000000000000000000 0x75f6fd21ff2e48e8a71de69ad42c3c9eecbfb15b573
 [:: [:: -0x147ae147ae1477f0a40000; 0xa3d70a3d70a3b38520000; 0xa3d70a3d70a3cb8520000];
  [:: 0xa3d70a3d70a3b38520000; -0x147ae147ae1474f0a40000; 0xa3d70a3d70a39b8520000];
  [:: 0xa3d70a3d70a3cb8520000; 0xa3d70a3d70a39b8520000; -0x147ae147ae147670a40000]]
 [:: [:: 0x191530bd7c5375e813fb02; 0x0; 0x0];
  [:: 0x191530bd7c535ca0ba0dbd; 0x2874f757211c3b3d; 0x0];
  [:: 0x191530bd7c5363f9ef5540; 0x68f818e11d6355e; 0x2042c42d70281d16]].
Definition the_point : point := Point 3 0x20000000000000
 [:: [:: 0x25fcb2b53b824a; 0x15ee8e9b077344; 0x0];
  [:: -0x25fcb2b53b824a; 0x15ee8e9b077344; 0x0];
  [:: 0x0; -0x2bdd1d360ee688; 0x0]]
 [:: [:: 0x25fcb2b53b824a; 0x15ee8e9b077344; 0x0];
  [:: -0x25fcb2b53b824a; 0x15ee8e9b077344; 0x0];
  [:: 0x0; -0x2bdd1d360ee688; 0x0]]
 [:: 0x0; 0x0; 0x0].
Definition lower : Q := (0xd3ac6506dfedb6212d07de7db45 # 0x2000000000000000000000000000)%binQ.
Definition upper : Q := (0x1a758ca0dbfdb85495b4f8c2651 # 0x400000000000000000000000000)%binQ.
Definition gap : Q := (0xc83809fe795743 # 0x2000000000000000000000000000)%binQ.
Definition digits : precision := Precision 84 84.
Definition logs : seq (Z * Z * Z) := [:: (1, 0x3333333333332c3999c0000, -0x2ee62b6b8de38465ece80f);
  (1, 0x3333333333332f0999c0000, -0x2ee62b6b8de38384ece80f);
  (1, 0x33333333333331d999c0000, -0x2ee62b6b8de382a3ece80f);
  (1, 0x35999999999999f1ccc80000, -0x1ce02a5e7d8bbd074c5bb);
  (1, 0x3599999999999a1eccc80000, -0x1ce02a5e7d8bbc305f767);
  (1, 0x3599999999999a4bccc80000, -0x1ce02a5e7d8bbb5972913)].
Definition levels : seq Z := [:: 0x1fde1dd4568a961c462207; 0x1fde1dd4568a961c462207; 0x1fde1dd4568a95dc2e5430].

Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_softmax_lower the_problem (nseq 3 1%binZ) the_dual digits logs lower.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_softmax_upper the_problem (nseq 3 1%binZ) digits the_point levels upper.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@FreeBias R) b ->
  qr R lower <= ufm (smoothed_ce E lab (qr R (1 # 10)%binQ)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b.
Proof. exact: (smoothing_lower_claim E lower_checked). Qed.

Theorem upper_bound (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  ufm (smoothed_ce E lab (qr R (1 # 10)%binQ)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := smoothing_upper_claim E upper_checked h. Qed.

Theorem certified_gap (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@FreeBias R) b ->
  ufm (smoothed_ce E lab (qr R (1 # 10)%binQ)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (smoothed_ce E lab (qr R (1 # 10)%binQ)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound E h) (lower_bound E h W H ok).
Qed.
Print Assumptions certified_gap.

(** The same over the real numbers of Coq's standard library. *)
From mathcomp Require Import Rstruct.
From UFM Require Import Reals.
Definition certified_gap_R := @certified_gap R_rcfType R_exponential.
Definition lower_bound_R := @lower_bound R_rcfType R_exponential.
Print Assumptions certified_gap_R.
