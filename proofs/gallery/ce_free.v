(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with cross-entropy: K = 3, N = 6, d = 3.
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
  onehot_problem 3 sizes lambda_W lambda_H FreeBiasN.
Definition the_dual : dual := Dual 0x20000000000000000000000 0x75f6fd21ff2e48e8a71de69ad42c3c9eecbfb15b573
 [:: [:: -0x147ae147ae147242900000; 0xa3d70a3d70a3961480000; 0xa3d70a3d70a38e1480000];
  [:: 0xa3d70a3d70a3b61480000; -0x147ae147ae147142900000; 0xa3d70a3d70a35e1480000];
  [:: 0xa3d70a3d70a36e1480000; 0xa3d70a3d70a37e1480000; -0x147ae147ae146ec2900000]]
 [:: [:: 0x191530bd7c5383d1d3d71e; 0x0; 0x0];
  [:: 0x191530bd7c534a99815f88; 0x36b627d4b4716865; 0x0];
  [:: 0x191530bd7c533e5a289302; 0x17fca0f5b3e2c252; 0x39ca055137bf83fa]].
Definition the_point : point := Point 3 0x20000000000000
 [:: [:: 0x2c8530c3fdceb8; 0x19b42bc6822a70; 0x0];
  [:: -0x2c8530c3fdceb8; 0x19b42bc6822a70; 0x0];
  [:: 0x0; -0x3368578d0454de; 0x0]]
 [:: [:: 0x2c8530c3fdceb8; 0x19b42bc6822a70; 0x0];
  [:: -0x2c8530c3fdceb8; 0x19b42bc6822a70; 0x0];
  [:: 0x0; -0x3368578d0454de; 0x0]]
 [:: 0x0; 0x0; 0x0].
Definition lower : Q := (0xc85db9c3c857b3a906cf446cc89 # 0x4000000000000000000000000000)%binQ.
Definition upper : Q := (0xc85db9c3c8580203672c26efdaf # 0x4000000000000000000000000000)%binQ.
Definition gap : Q := (0x272d302e7141893 # 0x2000000000000000000000000000)%binQ.
Definition digits : precision := Precision 84 84.
Definition logs : seq (Z * Z * Z) := [:: (1, 0xa3d70a3d70a35e1480000, -0x3e97a56f58376a40b80d27);
  (1, 0xa3d70a3d70a36e1480000, -0x3e97a56f583768b0b80d27);
  (1, 0xa3d70a3d70a37e1480000, -0x3e97a56f58376720b80d27);
  (1, 0xa3d70a3d70a38e1480000, -0x3e97a56f58376590b80d27);
  (1, 0xa3d70a3d70a3961480000, -0x3e97a56f583764c8b80d27);
  (1, 0xa3d70a3d70a3b61480000, -0x3e97a56f583761a8b80d27);
  (1, 0x1eb851eb851eb8dbd700000, -0xa734f6b6c075268682aa);
  (1, 0x1eb851eb851eb8ebd700000, -0xa734f6b6c0751e312d54);
  (1, 0x1eb851eb851eb913d700000, -0xa734f6b6c075095bd7ff)].
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
  bias_allowed (@FreeBias R) b ->
  qr R lower <= ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b.
Proof. exact: (ce_lower_claim E lower_checked). Qed.

Theorem upper_bound (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := ce_upper_claim E upper_checked h. Qed.

Theorem certified_gap (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@FreeBias R) b ->
  ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b <= qr R gap.
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
