(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with cross-entropy: K = 3, N = 6, d = 2.
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
  onehot_problem 3 sizes lambda_W lambda_H NoBiasN.
Definition the_dual : dual := Dual 0x20000000000000000000000 0x75f6fd21ff2e48e8a71de69ad42c3c9eecbfb15b573
 [:: [:: -0x147ae147ae147670a40000; 0xa3d70a3d70a3cb8520000; 0xa3d70a3d70a3c38520000];
  [:: 0xa3d70a3d70a3bb8520000; -0x147ae147ae147670a40000; 0xa3d70a3d70a3bb8520000];
  [:: 0xa3d70a3d70a3ab8520000; 0xa3d70a3d70a39b8520000; -0x147ae147ae1477f0a40000]]
 [:: [:: 0x191530bd7c53778a1fd203; 0x0; 0x0];
  [:: 0x191530bd7c535d093d037d; 0x254bce9ff0e4ebdc; 0x0];
  [:: 0x191530bd7c535d093d037d; 0x102d5199d9382fc0; 0x219ae98c1474c8e7]].
Definition the_point : point := Point 2 0x10000000000000
 [:: [:: 0x16429861fee75c; 0xcda15e3411538];
  [:: -0x16429861fee75c; 0xcda15e3411538];
  [:: 0x0; -0x19b42bc6822a6f]]
 [:: [:: 0x16429861fee75c; 0xcda15e3411538];
  [:: -0x16429861fee75c; 0xcda15e3411538];
  [:: 0x0; -0x19b42bc6822a6f]]
 [:: 0x0; 0x0; 0x0].
Definition lower : Q := (0x642edce1e42bf1c10e44c62a003 # 0x2000000000000000000000000000)%binQ.
Definition upper : Q := (0xc85db9c3c8580203672c26efdaf # 0x4000000000000000000000000000)%binQ.
Definition gap : Q := (0x1e814aa29a9bda9 # 0x4000000000000000000000000000)%binQ.
Definition digits : precision := Precision 84 84.
Definition logs : seq (Z * Z * Z) := [:: (1, 0xa3d70a3d70a39b8520000, -0x3e97a56f58376440b86d27);
  (1, 0xa3d70a3d70a3ab8520000, -0x3e97a56f583762b0b86d27);
  (1, 0xa3d70a3d70a3bb8520000, -0x3e97a56f58376120b86d27);
  (1, 0xa3d70a3d70a3c38520000, -0x3e97a56f58376058b86d27);
  (1, 0xa3d70a3d70a3cb8520000, -0x3e97a56f58375f90b86d27);
  (1, 0x1eb851eb851eb880f5c0000, -0xa734f6b6c07555dbd3ff);
  (1, 0x1eb851eb851eb898f5c0000, -0xa734f6b6c075495bd3ff)].
Definition levels : seq Z := [:: 0x29f22a9c77ba674a36b8f8; 0x29f22a9c77ba674a36b8f8; 0x29f22a9c77ba658de887ed].

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
  bias_allowed (@NoBias R) b ->
  qr R lower <= ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R) W H b.
Proof. exact: (ce_lower_claim E lower_checked). Qed.

Theorem upper_bound (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := ce_upper_claim E upper_checked h. Qed.

Theorem certified_gap (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@NoBias R) b ->
  ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R) W H b <= qr R gap.
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
