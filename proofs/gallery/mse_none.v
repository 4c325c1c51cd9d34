(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with mean squared error: K = 3, N = 6, d = 3.
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
Definition sizes : seq Z := [:: 2; 2; 2].
Definition lambda_W : Q := (1 # 50)%binQ.
Definition lambda_H : Q := (1 # 100)%binQ.
Definition the_problem : problem :=
  onehot_problem 3 sizes lambda_W lambda_H NoBiasN.
Definition the_dual : dual := Dual 0x2000000000000000000 0x75f6fd21ff2e48e8a71de69ad42c3c9eecb
 [:: [:: -0x1eb851eb851eb428f6; 0x0; 0x0];
  [:: 0x0; -0x1eb851eb851eb428f6; 0x0];
  [:: 0x0; 0x0; -0x1eb851eb851eb428f6]]
 [:: [::];
  [::];
  [::]].
Definition the_point : point := Point 3 0x20000000000000
 [:: [:: 0x1f06704d3a1e6f; 0x0; 0x0];
  [:: 0x0; 0x1f06704d3a1e6f; 0x0];
  [:: 0x0; 0x0; 0x1f06704d3a1e6f]]
 [:: [:: 0x1f06704d3a1e6f; 0x0; 0x0];
  [:: 0x0; 0x1f06704d3a1e6f; 0x0];
  [:: 0x0; 0x0; 0x1f06704d3a1e6f]]
 [:: 0x0; 0x0; 0x0].
Definition lower : Q := (0xee631f8a0902beb853b98c7e28016f04673 # 0x1000000000000000000000000000000000000)%binQ.
Definition upper : Q := (0xee631f8a0902de00d1b71758e35edf47d04a0e3 # 0x10000000000000000000000000000000000000000)%binQ.
Definition gap : Q := (0xfa43efec56d5daeb821b48d1 # 0x80000000000000000000000000000000000000)%binQ.

Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_mse_lower the_problem the_dual lower.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_mse_upper the_problem the_point upper.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@NoBias R) b ->
  qr R lower <= ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R) W H b.
Proof. exact: (mse_lower_claim lower_checked). Qed.

Theorem upper_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := mse_upper_claim upper_checked R h. Qed.

Theorem certified_gap (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@NoBias R) b ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@NoBias R) W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound R h) (lower_bound h W H ok).
Qed.
Print Assumptions certified_gap.
